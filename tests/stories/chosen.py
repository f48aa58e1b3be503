"""Which stories are to be played: shipped ones by name, others by file."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from agent.config import parse
from agent.errors import ConfigError
from firmware_sim.errors import Exit, SimError
from firmware_sim.story.format import Story
from firmware_sim.story.loading import load_story, story_names


def chosen(words: Sequence[str]) -> dict[str, Story]:
    """Stories by name, in the order given; every shipped one without a word.

    Args:
        words: names and files, with commas between them or not.

    Raises:
        SimError: one cannot be played, with every problem, one a line; none has been played.
    """
    asked = [one for word in words for one in re.split(r"[,\s]+", word) if one]
    found: dict[str, Story] = {}
    problems: list[SimError] = []
    for word in asked or story_names():
        got = _look_up(word, found)
        if isinstance(got, SimError):
            problems.append(got)
        else:
            found[got[0]] = got[1]
    if problems:
        raise SimError("\n".join(map(str, problems)), problems[0].code)
    return found


def _look_up(word: str, taken: Collection[str]) -> tuple[str, Story] | SimError:
    """A story and its name, or why it cannot be played."""
    try:
        name, story = load_story(word)
        check_settings(word, story)
    except SimError as error:
        return error
    if word not in story_names() and (name in story_names() or name in taken):
        return SimError(f"{word}: another story is called {name}; rename it", Exit.USAGE)
    return name, story


def check_settings(name: str, story: Story) -> None:
    """Whether an agent would take them: it would end at once if not.

    Raises:
        SimError: it would not; every problem in one line.
    """
    try:
        parse(None, tuple(f"{key}={value}" for key, value in story.settings.items()))
    except ConfigError as error:
        raise SimError(f"{name}: settings: {'; '.join(error.problems)}", Exit.DATA) from None
