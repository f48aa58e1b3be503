import pytest

from agent.stages.appearance import ReturnRule, reidentify
from agent.values import Embedding
from tests.support.faces import unit

RULE = ReturnRule(similarity=0.5, margin=0.1)
NEWCOMER = Embedding(unit(1, 0, 0, 0))


def at(cosine: float, axis: int = 1) -> Embedding:
    """A face with this cosine to the newcomer's."""
    rest = [0.0, 0.0, 0.0]
    rest[axis - 1] = (1 - cosine**2) ** 0.5
    return Embedding(unit(cosine, *rest))


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ({}, None),
        ({4: at(0.7)}, 4),
        ({4: at(0.45)}, None),
        ({4: at(0.7), 5: at(0.2, 2)}, 4),
        ({4: at(0.2), 5: at(0.7, 2)}, 5),
        ({4: at(0.7), 5: at(0.65, 2)}, None),  # either may be him
    ],
)
def test_only_the_one_certain_face_is_the_returned(
    lost: dict[int, Embedding], expected: int | None
) -> None:
    assert reidentify(NEWCOMER, lost, RULE) == expected
