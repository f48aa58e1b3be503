"""From the signed text of a policy to its value, and back to words about it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

import yaml
from pydantic import ValidationError

from agent.errors import DataError
from agent.messages.policy import (
    DAYS,
    MAX_POLICY,
    AreaClause,
    PolicyDocument,
    WindowClause,
)
from agent.policy.values import Policy
from agent.values import Wall
from agent.values.bounds import Area, Window

_HOUR_S = 3600.0
_PROBLEMS = 5
_PLAIN = {
    "missing": "is missing; nothing in a policy has a default",
    "extra_forbidden": "no such clause",
    "string_pattern_mismatch": "lower case letters, digits and hyphens, a letter first, at most 40",
}


def read_policy(text: bytes) -> Policy:
    """The policy in a signed text.

    Raises:
        DataError: it is none; every problem, in one line.
    """
    return policy_of(read_document(text), hashlib.sha256(text).hexdigest())


def read_document(text: bytes) -> PolicyDocument:
    """The same, clause by clause as it is written."""
    if len(text) > MAX_POLICY:
        raise DataError(f"policy: {len(text)} bytes, at most {MAX_POLICY} are possible")
    try:
        tree = yaml.load(text.decode("utf-8"), Loader=_PlainLoader)  # noqa: S506 - a SafeLoader
        plain = json.dumps(tree, default=_moment, allow_nan=False)
        return PolicyDocument.model_validate_json(plain, strict=True)
    except ValidationError as error:
        raise DataError(f"policy: {_problems(error)}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        what = getattr(error, "problem", None) or "not valid YAML"
        raise DataError(f"policy: {where}{what}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"policy: not a document ({type(error).__name__})") from None


def policy_of(document: PolicyDocument, digest: str) -> Policy:
    """Its value.

    Args:
        document: checked.
        digest: sha256 of the signed text, hexadecimal.
    """
    matching, lists, grants = document.matching, document.lists, document.authorisations
    bounds, alerts, effort = document.bounds, document.alerts, document.effort
    return Policy(
        name=document.name,
        version=document.version,
        floor=matching.similarity_floor,
        target_fpir=matching.target_fpir,
        extrapolate=matching.extrapolate,
        min_shots=matching.min_shots,
        min_margin=matching.min_margin,
        min_cooldown_s=matching.min_cooldown_s,
        test=document.test,
        max_templates=lists.max_templates,
        max_list_age_s=lists.max_age_hours * _HOUR_S,
        bases=lists.bases,
        purposes=lists.purposes,
        loaded_authorisations_only=lists.loaded_authorisations_only,
        max_authorisation_s=grants.max_hours * _HOUR_S,
        remote_arm=grants.remote_arm,
        evidence=alerts.evidence,
        test_alerts=alerts.test_alerts,
        agency=document.agency,
        not_before=Wall(document.not_before.timestamp()),
        not_after=Wall(document.not_after.timestamp()),
        min_face_px=matching.min_face_px,
        least_rate_hz=effort.min_detections_per_s,
        least_shots_per_s=effort.min_shots_per_s,
        faces_from_px=effort.faces_from_px,
        alerts_per_day=matching.alerts_per_subject_and_day,
        schedule=tuple(one for clause in bounds.schedule for one in _windows(clause)),
        areas=tuple(map(area_of, bounds.areas)),
        max_fix_age_s=bounds.max_fix_age_s,
        max_fix_error_m=bounds.max_fix_error_m,
        time_sources=bounds.time_sources,
        types=grants.types,
        reviews=alerts.reviews,
        retention_days=alerts.retention_days,
        digest=digest,
    )


def area_of(clause: AreaClause) -> Area:
    """The polygon of a clause."""
    return Area(clause.name, clause.polygon)


def _windows(clause: WindowClause) -> tuple[Window, ...]:
    begin, end = _seconds(clause.begin), _seconds(clause.end)
    return tuple(Window(DAYS.index(day), begin, end) for day in clause.days)


def _seconds(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 3600 + int(minutes) * 60


def _moment(value: Any) -> str:
    """YAML reads a time as a `datetime`; JSON has none."""
    if isinstance(value, dt.date):  # a `datetime` is one too; a day alone is told to be no time
        return value.isoformat()
    raise TypeError(type(value).__name__)


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader that takes no alias, which could make a short text very large, and no key twice:
    a reader might see the one, the device the other.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not taken here", None)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if not isinstance(key, str) or key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice, or no text", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _problems(error: ValidationError) -> str:
    listed = error.errors(include_url=False, include_input=False)
    lines = [_line(item) for item in listed[:_PROBLEMS]]
    more = f"; and {len(listed) - _PROBLEMS} more" if len(listed) > _PROBLEMS else ""
    return " ".join(("; ".join(lines) + more).split())


def _line(item: Any) -> str:
    path = ".".join(map(str, item["loc"]))
    if not path and item["type"] == "model_type":
        return "not a policy; `bodycam-hub policy preset` makes one to start from"
    said = _said(item)
    return f"{path}: {said}" if path else said


def _said(item: Any) -> str:
    """What is wrong with a clause, in the words of the handbook."""
    kind, loc = str(item["type"]), item["loc"]
    if kind in ("string_type", "string_pattern_mismatch") and loc[-1] in ("from", "to"):
        return 'write HH:MM in quotes, such as "08:00" or "18:00"; `to` may be "24:00"'
    if kind == "too_short":
        return f"needs at least {item['ctx']['min_length']}"
    if kind.startswith(("datetime", "timezone")):
        return "write a time as 2027-02-25T00:00:00Z"
    said = str(item["msg"]).removeprefix("Value error, ").replace("Input should", "should")
    where = "; a corner is [latitude, longitude]" if "polygon" in loc[:-1] else ""
    return _PLAIN.get(kind, said + where)
