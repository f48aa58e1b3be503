"""The pair lists of Labeled Faces in the Wild (LFW), as text.

Both official forms are read. `pairs.txt` begins with two numbers, `FOLDS COUNT`: each fold has
COUNT pairs of one person (`NAME I J`), then COUNT pairs of two people (`NAME I NAME J`).
`pairsDevTrain.txt` and `pairsDevTest.txt` begin with COUNT alone, and are one such fold.
Fields are parted by tabs where a line has any, else by white space.
Source: G. B. Huang et al., "Labeled Faces in the Wild", UMass TR 07-49, 2007.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.errors import DataError

PROBLEMS_SHOWN = 20
"""Further problems of one file are only counted: the first ones tell what is wrong with it."""


@dataclass(frozen=True, slots=True, order=True)
class ImageRef:
    """One photograph of the data set: `number` counts a person's pictures from 1."""

    name: str
    number: int

    @property
    def stem(self) -> str:
        """Path without its ending: `NAME/NAME_0001`."""
        return f"{self.name}/{self.name}_{self.number:04d}"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photographs to compare.

    Attributes:
        fold: from 0.
        same: True when they show one person.
    """

    left: ImageRef
    right: ImageRef
    same: bool
    fold: int


@dataclass(frozen=True, slots=True)
class PairList:
    """A whole file.

    Attributes:
        pairs: in the order of the file.
        folds: how many; 1 for the development files.
    """

    pairs: tuple[Pair, ...]
    folds: int

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """Every photograph once, sorted."""
        return tuple(sorted({ref for pair in self.pairs for ref in (pair.left, pair.right)}))


def parse_pairs(text: str, origin: str = "pairs") -> PairList:
    """Read a pair list of either form.

    Args:
        text: the file.
        origin: its name, for messages.

    Raises:
        DataError: naming each problem with its line number.
    """
    lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise DataError(f"{origin}: empty; the first line must be `FOLDS COUNT` or `COUNT`")
    folds, count = _header(lines[0], origin)
    body = lines[1:]
    problems: list[str] = []
    pairs: list[Pair] = []
    for index, (number, line) in enumerate(body[: 2 * folds * count]):
        fold, rest = divmod(index, 2 * count)
        outcome = _pair(line, same=rest < count, fold=fold)
        if isinstance(outcome, Pair):
            pairs.append(outcome)
        else:
            problems.append(f"line {number}: {outcome}")
    problems += _wrong_length(body, 2 * folds * count)
    if problems:
        raise DataError(_message(origin, problems))
    return PairList(tuple(pairs), folds)


def _header(first: tuple[int, str], origin: str) -> tuple[int, int]:
    number, line = first
    fields = line.split()
    values = [_positive(field) for field in fields]
    if len(fields) == 2 and values[0] and values[1]:  # noqa: PLR2004 - FOLDS COUNT
        return values[0], values[1]
    if len(fields) == 1 and values[0]:
        return 1, values[0]
    raise DataError(
        f"{origin}: line {number}: expected `FOLDS COUNT` or `COUNT`, whole numbers over 0, "
        f"got {line[:60]!r}"
    )


def _positive(field: str) -> int | None:
    """A whole number over 0; the length limit keeps absurd counts out of the arithmetic."""
    if not (field.isascii() and field.isdigit() and len(field) <= 9):  # noqa: PLR2004
        return None
    return int(field) or None


def _pair(line: str, *, same: bool, fold: int) -> Pair | str:
    """One line as a pair, or what is wrong with it."""
    fields = [f.strip() for f in line.split("\t")] if "\t" in line else line.split()
    if same:
        form, names, numbers = "NAME I J (one person)", fields[:1] * 2, fields[1:]
        fits = len(fields) == 3  # noqa: PLR2004
    else:
        form, names, numbers = "NAME I NAME J (two people)", fields[::2], fields[1::2]
        fits = len(fields) == 4  # noqa: PLR2004
    if not fits:
        return f"expected {form}, got {len(fields)} fields: {line[:60]!r}"
    counts = [_positive(field) for field in numbers]
    if counts[0] is None or counts[1] is None:
        return f"picture numbers must be whole and over 0, got {' and '.join(numbers)!r}"
    unsafe = [name for name in names if not _safe(name)]
    if unsafe:
        return f"{unsafe[0]!r} cannot be the name of a folder"
    if not same and names[0] == names[1]:
        return f"expected two people, got {names[0]!r} twice"
    return Pair(ImageRef(names[0], counts[0]), ImageRef(names[1], counts[1]), same, fold)


def _safe(name: str) -> bool:
    """A list must not lead out of its image folder."""
    return bool(name) and name not in (".", "..") and not set(name) & {"/", "\\", "\0"}


def _wrong_length(body: list[tuple[int, str]], expected: int) -> list[str]:
    if len(body) < expected:
        last = body[-1][0] if body else 1
        return [f"line {last}: the file ends with {len(body)} pairs; the header says {expected}"]
    if len(body) > expected:
        return [f"line {body[expected][0]}: more pairs than the {expected} the header says"]
    return []


def _message(origin: str, problems: list[str]) -> str:
    shown = [f"{origin}: {problem}" for problem in problems[:PROBLEMS_SHOWN]]
    if len(problems) > PROBLEMS_SHOWN:
        shown.append(f"{origin}: and {len(problems) - PROBLEMS_SHOWN} more problems")
    return "\n".join(shown)
