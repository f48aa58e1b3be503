"""Charts as SVG text: no library, no script, nothing loaded from anywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final

_WIDTH: Final = 720
_HEIGHT: Final = 200
_LEFT: Final = 46
_BOTTOM: Final = 24
_TOP: Final = 24
_LABELS: Final = 8
_STEPS: Final = (1.0, 2.0, 5.0, 10.0)


def bars(title: str, values: Sequence[tuple[str, float]], unit: str) -> str:
    """A bar for each (label, value); values from 0 up.

    Args:
        title: read out in its place.
        values: in order, at least one.
        unit: of the axis.
    """
    top = _round_up(max((value for _, value in values), default=0.0))
    step = (_WIDTH - _LEFT) / max(len(values), 1)
    every = math.ceil(len(values) / _LABELS)
    counts = all(value == int(value) for _, value in values)
    parts = _axis(top, unit, (0.0, 1.0) if counts and top % 2 else (0.0, 0.5, 1.0))
    for number, (label, value) in enumerate(values):
        height = _span(value / top)
        left = _LEFT + number * step
        parts.append(
            f'<rect x="{left + step * 0.1:.1f}" y="{_HEIGHT - _BOTTOM - height:.1f}" '
            f'width="{step * 0.8:.1f}" height="{height:.1f}">'
            f"<title>{escape(label)}: {value:g} {escape(unit)}</title></rect>"
        )
        if number % every == 0:
            parts.append(_text(left + step / 2, _HEIGHT - 8, label, "middle"))
    return _figure(title, parts)


def curve(title: str, points: Sequence[tuple[float, float]], marks: Sequence[float]) -> str:
    """A falling curve over a logarithmic axis.

    Args:
        title: read out in its place.
        points: (similarity, rate), at least two, rates above 0.
        marks: similarities that are marked.
    """
    low, high = points[0][0], max(points[-1][0], *marks, points[0][0] + 0.01)
    exponents = [math.log10(rate) for _, rate in points]
    least = math.floor(min(exponents))

    def place(similarity: float, exponent: float) -> tuple[float, float]:
        across = _LEFT + (_WIDTH - _LEFT - 20) * (similarity - low) / (high - low)
        return across, _TOP + _span(1.0) * exponent / least

    parts: list[str] = []
    for exponent in range(least, 1):
        _, y = place(low, exponent)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH}" y2="{y:.1f}"/>')
        parts.append(_text(_LEFT - 4, y + 4, f"1e{exponent}" if exponent else "1", "end"))
    spots = [place(one[0], exponent) for one, exponent in zip(points, exponents, strict=True)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    parts.append(f'<polyline points="{path}"/>')
    for (x, y), (similarity, rate) in zip(spots, points, strict=True):
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{similarity:g}: {rate:g}</title>'
            "</circle>"
        )
        parts.append(_text(x, _HEIGHT - 8, f"{similarity:.2f}", "middle"))
    for mark in marks:
        x, _ = place(mark, 0)
        parts.append(
            f'<line class="mark" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_HEIGHT - _BOTTOM}">'
            f"<title>{mark:g}</title></line>"
        )
    return _figure(title, parts)


def _axis(top: float, unit: str, shares: Sequence[float]) -> list[str]:
    parts = []
    for share in shares:
        y = _HEIGHT - _BOTTOM - _span(share)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH}" y2="{y:.1f}"/>')
        parts.append(_text(_LEFT - 4, y + 4, f"{top * share:g}", "end"))
    parts.append(_text(2, 12, unit, "start"))
    return parts


def _figure(title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _span(share: float) -> float:
    return (_HEIGHT - _BOTTOM - _TOP) * share


def _round_up(value: float) -> float:
    if value <= 0:
        return 1.0
    scale = 10.0 ** math.floor(math.log10(value))
    return next(step * scale for step in _STEPS if value <= step * scale * (1 + 1e-9))
