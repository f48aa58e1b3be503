"""Reads stories: shipped ones by name, others by file."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import ValidationError

from firmware_sim.errors import Exit, SimError
from firmware_sim.story.format import Story

_LARGEST = 1_000_000


def story_names() -> list[str]:
    """The shipped ones."""
    folder = files("firmware_sim.stories")
    names = [item.name for item in folder.iterdir()]
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def load_story(name: str) -> tuple[str, Story]:
    """A shipped story, or a file; its name and itself.

    Raises:
        SimError: there is none of this name (66), or it is not a story (65), with every problem.
    """
    if name in story_names():
        text = files("firmware_sim.stories").joinpath(f"{name}.yaml").read_text("utf-8")
        return name, read_story(text, name)
    path = Path(name)
    try:
        if path.stat().st_size > _LARGEST:
            raise SimError(f"{name}: larger than any story", Exit.DATA)
        return path.stem, read_story(path.read_text("utf-8"), name)
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise SimError(f"{name}: not a text", Exit.DATA) from None
        known = story_names()
        near = "".join(f"did you mean {one}? " for one in get_close_matches(name, known, n=1))
        raise SimError(
            f"{name}: no such story or file; {near}shipped are {', '.join(known)}", Exit.NO_INPUT
        ) from None


def read_story(text: str, name: str) -> Story:
    """A story from YAML.

    Raises:
        SimError: it is none; every problem in one line.
    """
    try:
        return Story.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise SimError(f"{name}: not YAML{where}", Exit.DATA) from None
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(step) for step in problem['loc']) or 'story'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise SimError(f"{name}: {problems}", Exit.DATA) from None
