"""Who of the lately lost has come back, by face instead of place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.values import Embedding


@dataclass(frozen=True, slots=True)
class ReturnRule:
    """When a new track is an old one.

    Attributes:
        similarity: least cosine of the new face with the lost track's template. For SFace 0.49
            is passed by 1 in 100,000 pairs of different people, and few are lost at a time.
        margin: least cosine over the second best of the lost.
    """

    similarity: float = 0.49
    margin: float = 0.10


def reidentify(
    newcomer: Embedding, lost: Mapping[int, Embedding], rule: ReturnRule | None = None
) -> int | None:
    """The id of the lost track that the newcomer continues; None when there is any doubt.

    Args:
        newcomer: template of a new track.
        lost: templates of the lost tracks, by id.
        rule: what counts as certain.
    """
    rule = rule or ReturnRule()
    ranked = sorted(
        ((float(newcomer.vector @ other.vector), -track) for track, other in lost.items()),
        reverse=True,
    )
    if not ranked or not ranked[0][0] >= rule.similarity:
        return None
    if len(ranked) > 1 and ranked[0][0] - ranked[1][0] < rule.margin:
        return None
    return -ranked[0][1]
