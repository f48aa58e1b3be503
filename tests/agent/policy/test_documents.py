"""The text of a policy: what is taken, and what is not."""

from __future__ import annotations

import hashlib
from dataclasses import fields

import pytest
import yaml

from agent.errors import DataError
from agent.hub.policies import preset_names
from agent.messages.policy import MAX_POLICY
from agent.policy import FIELD_TEST
from agent.policy.documents import read_document, read_policy
from agent.values.bounds import Window
from tests.support.policies import NOW, a_policy, policy_text

ALIASED = (
    policy_text()
    .replace(b"test: false", b"test: &a false")
    .replace(b"extrapolate: false", b"extrapolate: *a")
)


def test_the_hash_is_that_of_the_file() -> None:
    text = policy_text()
    assert read_policy(text).sha256() == hashlib.sha256(text).hexdigest()
    assert read_policy(text + b"# a word more\n").sha256() != read_policy(text).sha256()


def test_every_value_of_a_policy_comes_from_its_text() -> None:
    """A field that was forgotten in `policy_of` would keep its built-in default."""
    one = a_policy(
        test=True,
        matching={
            "similarity_floor": 0.61, "target_fpir": 0.002, "extrapolate": False, "min_shots": 7,
            "min_face_px": 51, "min_margin": 0.12, "min_cooldown_s": 33.0,
            "alerts_per_subject_and_day": 3,
        },
        effort={"min_detections_per_s": 5, "min_shots_per_s": 3, "faces_from_px": 30},
        lists={"bases": ["b"], "purposes": ["p"], "max_templates": 17, "max_age_hours": 5,
            "loaded_authorisations_only": True,
        },
        authorisations={"types": ["exigency"], "max_hours": 2, "remote_arm": True},
        bounds={
            "schedule": [{"days": ["sun"], "from": "08:00", "to": "24:00"}],
            "areas": [{"name": "a", "polygon": [[0, 0], [0, 1], [1, 1]]}],
            "max_fix_age_s": 11, "max_fix_error_m": 12, "time_sources": ["gps"],
        },
        alerts={"evidence": False, "reviews": 2, "retention_days": 3, "test_alerts": False},
        version=9,
    )  # fmt: skip
    assert one.schedule == (Window(6, 8 * 3600, 86_400),)
    assert one.areas[0].corners == ((0, 0), (0, 1), (1, 1))
    given = (one.floor, one.target_fpir, one.min_shots, one.min_face_px, one.alerts_per_day)
    assert given == (0.61, 0.002, 7, 51, 3)
    assert (one.least_rate_hz, one.least_shots_per_s, one.faces_from_px) == (5, 3, 30)
    assert (one.max_list_age_s, one.max_authorisation_s) == (5 * 3600, 2 * 3600)
    assert (one.not_before, one.not_after) == (NOW, NOW + 30 * 86_400)
    other = a_policy("uk-live-deployment")
    same = {
        item.name for item in fields(one) if getattr(one, item.name) == getattr(other, item.name)
    }
    assert same == {"extrapolate", "agency", "not_before", "not_after"}


@pytest.mark.parametrize("name", preset_names())
def test_each_clause_of_a_preset_names_its_source(name: str) -> None:
    lines = policy_text(name).decode().splitlines()
    clauses = [at for at, line in enumerate(lines) if line.startswith("  ") and "#" not in line]
    assert len(clauses) == 28
    assert all(lines[at - 1].startswith("  # source: ") for at in clauses)


def test_the_presets_are_as_strict_as_they_say() -> None:
    assert set(preset_names()) == {
        "strict", "uk-live-deployment", "eu-ai-act", "washington-state", "field-test",
    }  # fmt: skip
    strict = a_policy("strict")
    for name in set(preset_names()) - {"strict"}:
        other = a_policy(name)
        assert strict.floor >= other.floor
        assert strict.target_fpir <= other.target_fpir
        assert strict.min_shots >= other.min_shots
        assert strict.least_rate_hz >= other.least_rate_hz
        assert strict.least_shots_per_s >= other.least_shots_per_s
        assert other.test or other.faces_from_px <= other.min_face_px
        assert strict.max_authorisation_s <= other.max_authorisation_s
        assert (other.test, other.extrapolate) == (name == "field-test", name == "field-test")
        assert not other.remote_arm
    field = a_policy("field-test")
    assert field.floor == FIELD_TEST.floor
    assert (field.bases, field.purposes) == (FIELD_TEST.bases, FIELD_TEST.purposes)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"matching": {"similarity_floor": 1.5}}, "similarity_floor"),
        ({"matching": {"similarity_floor": "0.5"}}, "similarity_floor"),
        ({"matching": {"similarity_floor": float("nan")}}, "not a document"),
        ({"matching": {"also": 1}}, "also"),
        ({"effort": {"min_detections_per_s": 0}}, "min_detections_per_s"),
        ({"effort": {"faces_from_px": "any"}}, "faces_from_px"),
        ({"effort": None}, "effort"),
        ({"authorisations": {"types": ["hunch"]}}, "types"),
        ({"authorisations": {"types": []}}, "types"),
        ({"bounds": {"time_sources": []}}, "time_sources"),
        ({"bounds": {"schedule": [{"days": ["mon"], "from": "22:00", "to": "06:00"}]}}, "two"),
        ({"bounds": {"areas": [{"name": "a", "polygon": [[0, 0], [0, 1], [0, 0]]}]}}, "corners"),
        ({"bounds": {"areas": [{"name": "a", "polygon": [[0, 179], [1, -179], [1, 0]]}]}}, "date"),
        ({"version": 0}, "version"),
        ({"format": "bodycam.policy.v2"}, "format"),
    ],
)  # fmt: skip
def test_what_is_no_policy_is_refused_in_one_line(change: dict, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read_policy(policy_text(**change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "instead", "says"),
    [
        (b"not_after: ", b"not_after: 2027-02-25 #", "not_after: write a time as 2027-02-25T00"),
        (b"not_after: ", b"not_after: 2027-02-25T00:00:00 #", "not_after: write a time as"),
        (b"not_after: ", b"not_after: soon #", "not_after: write a time as"),
        (
            b"schedule: []",
            b"schedule: [{days: [mon], from: 08:00, to: 18:00}]",
            r'bounds.schedule.0.to: write HH:MM in quotes, such as "08:00"',
        ),
        (b"types: ", b"types: [] #", "authorisations.types: needs at least 1$"),
        (b"remote_arm: false", b"remote_arms: false", r"remote_arm: is missing.*: no such clause"),
        (b"name: ", b"name: Ours #", "name: lower case letters, digits and hyphens"),
        (b"areas: []", b"areas: [{name: a, polygon: [[1, 2], [1, 3], [99, 2]]}]",
         r"polygon.2.0: should be less than or equal to 90; a corner is \[latitude, longitude\]"),
    ],
)  # fmt: skip
def test_a_slip_of_the_pen_is_told_in_the_words_of_the_handbook(
    line: bytes, instead: bytes, says: str
) -> None:
    text = policy_text()
    assert line in text
    with pytest.raises(DataError, match=says) as caught:
        read_policy(text.replace(line, instead, 1))
    for raw in ("Input should", "Value error", "Tuple", "Error"):
        assert raw not in str(caught.value)


def test_what_is_no_policy_at_all_is_told_so() -> None:
    for text in (b"", b"hello", b"[1, 2]"):
        with pytest.raises(DataError, match=r"^policy: not a policy; `bodycam-hub policy preset`"):
            read_policy(text)


def test_nothing_has_a_default() -> None:
    tree = yaml.safe_load(policy_text())
    for section, clauses in tree.items():
        names = list(clauses) if isinstance(clauses, dict) else [None]
        for name in names:
            less = yaml.safe_load(policy_text())
            if name is None:
                del less[section]
            else:
                del less[section][name]
            with pytest.raises(DataError, match=name or section):
                read_policy(yaml.safe_dump(less).encode())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (policy_text() + b"\ntest: true\n", "twice"),
        (ALIASED, "alias"),
        (b"\xff\xfe", "not a document"),
        (b"a" * (MAX_POLICY + 1), "at most"),
        (b"[" * 50_000, "policy"),
        (b"", "policy"),
        (policy_text() + b"\n--- \nformat: x\n", "policy"),
        (b"!!python/object/apply:os.system [true]", "constructor"),
    ],
    ids=["twice", "alias", "binary", "long", "deep", "empty", "two", "python"],
)  # fmt: skip
def test_texts_that_two_readers_could_read_in_two_ways_are_refused(text: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_document(text)
