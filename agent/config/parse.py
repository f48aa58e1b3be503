"""From YAML text and `section.key=value` overrides to a checked `Config`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from agent.config.schema import Config
from agent.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Layer:
    """Where settings came from, and their text.

    Attributes:
        origin: for messages, such as a file name.
        text: YAML.
    """

    origin: str
    text: str


def parse(layer: Layer | None = None, overrides: tuple[str, ...] = ()) -> Config:
    """Check a configuration as a whole.

    Args:
        layer: the YAML document; None for the defaults.
        overrides: `section.key=value` with the value in YAML, applied in order.

    Raises:
        ConfigError: with every problem found, each with the path of its key.
    """
    origin = layer.origin if layer else "configuration"
    tree = _load(layer) if layer else {}
    problems: list[str] = []
    for override in overrides:
        problems += _apply(tree, override)
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        problems += [_line(item) for item in error.errors()]
    else:
        if not problems:
            return config
    raise ConfigError(tuple(problems), origin)


def dump(config: Config) -> str:
    """The effective configuration as YAML."""
    text: str = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    return text


def _load(layer: Layer) -> dict[str, Any]:
    try:
        tree = yaml.load(layer.text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError((_yaml_problem(error),), layer.origin) from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(("the document must be a mapping of sections",), layer.origin)
    return tree


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if isinstance(key, str | int) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "not valid YAML"
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}{what}"


def _apply(tree: dict[str, Any], override: str) -> list[str]:
    path, sign, text = override.partition("=")
    keys = path.split(".")
    if not sign or not all(keys):
        return [f"--set {override}: write it as section.key=value"]
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return [f"--set {path}: the value is not valid YAML"]
    node = tree
    for key in keys[:-1]:
        child = node.setdefault(key, {})
        if not isinstance(child, dict):
            return [f"--set {path}: {key} is not a section"]
        node = child
    node[keys[-1]] = "" if value is None else value
    return []


def _line(item: Any) -> str:
    path = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(item["loc"][-1]), _siblings(item["loc"]), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{path}: no such key{hint}"
    given = item.get("input")
    shown = f" (given: {given!r:.60})" if isinstance(given, str | int | float | bool) else ""
    return f"{path}: {item['msg'][0].lower()}{item['msg'][1:]}{shown}"


def _siblings(loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type):
            return []
        if not issubclass(field.annotation, BaseModel):
            return []
        model = field.annotation
    return list(model.model_fields)
