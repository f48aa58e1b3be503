"""A score as a page of its own: timeline, and recall against distance and width of the face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from firmware_sim.score.table import as_table

_WIDE, _LANE, _LEFT = 900, 34, 90
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 960px; color: #222 }
pre { background: #f4f4f2; padding: 1em; overflow-x: auto }
svg { max-width: 100%; height: auto } text { font: 12px system-ui, sans-serif; fill: #333 }
.found { fill: #7fb58a } .missed { fill: #d9a3a0 } .alert { stroke: #14532d; stroke-width: 2 }
.wrong { stroke: #b00020; stroke-width: 3 } .axis { stroke: #999 } .bar { fill: #4a7ba6 }
.rest { fill: #e4e4e0 }
"""


def as_html(score: Mapping[str, Any]) -> str:
    """The whole page; nothing is fetched from anywhere."""
    title = escape(str(score["story"]))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>
<body><h1>{title}</h1>
<pre>{escape(as_table(score))}</pre>
<h2>Timeline</h2>
{_timeline(score)}
<p>Bars: a listed person's face is in the picture (green: an alert came, red: none did). Lines:
alerts; thick red ones name somebody who was not there.</p>
<h2>Recall against distance</h2>
{_bars(score["recall_by_distance_m"], "m")}
<h2>Recall against width of the face</h2>
{_bars(score["recall_by_width_px"], "px")}
<p>Each column: appearances that were in this range, and the share found before they left it for a
better one.</p>
<p>The footage holds {score["identities"]} identities in this story, so a crowd repeats them: false
alerts here are no statistics.</p>
</body></html>
"""


def _timeline(score: Mapping[str, Any]) -> str:
    entries = sorted(
        {row["entry"] for row in score["appearances"]} | set(score["false_alerts"]["entries"])
    )
    lane = {entry: number for number, entry in enumerate(entries)}
    scale = (_WIDE - _LEFT - 10) / max(score["seconds"], 1e-3)
    shapes = [
        f'<text x="4" y="{number * _LANE + 22}">{escape(entry)}</text>'
        for entry, number in lane.items()
    ]
    for row in score["appearances"]:
        top = lane[row["entry"]] * _LANE + 8
        x, wide = _LEFT + row["begin_s"] * scale, (row["end_s"] - row["begin_s"]) * scale
        kind = "found" if row["found"] else "missed"
        label = f"{row['name']}: down to {row['closest_m']:.1f} m, {row['widest_px']:.0f} px"
        shapes.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{top}" width="{max(wide, 2):.1f}" height="20">'
            f"<title>{escape(label)}</title></rect>"
        )
        if row["found"]:
            shapes.append(_mark("alert", _LEFT + row["alert_s"] * scale, top))
    wrong = score["false_alerts"]
    for entry, at_s in zip(wrong["entries"], wrong["at_s"], strict=True):
        shapes.append(_mark("wrong", _LEFT + at_s * scale, lane[entry] * _LANE + 8))
    low = max(1, len(entries)) * _LANE + 6
    shapes.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDE - 10}" y1="{low}" y2="{low}"/>')
    for tenth in range(11):
        x = _LEFT + tenth * (_WIDE - _LEFT - 10) / 10
        at = score["seconds"] * tenth / 10
        shapes.append(f'<text x="{x - 8:.0f}" y="{low + 16}">{at:.3g}</text>')
    return _svg(shapes, low + 24)


def _mark(kind: str, x: float, top: int) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 4}" y2="{top + 24}"/>'


def _bars(rows: Sequence[Mapping[str, Any]], unit: str) -> str:
    """One column for each range; its height is the share found."""
    if not rows:
        return "<p>No listed person appears.</p>"
    high, wide = 140, min(80, (_WIDE - _LEFT) // len(rows))
    shapes = []
    for number, row in enumerate(rows):
        x, share = _LEFT + number * wide, row["found"] / row["appearances"]
        top = 10 + high * (1 - share)
        shapes += [
            f'<rect class="rest" x="{x}" y="10" width="{wide - 8}" height="{high}"/>',
            (
                f'<rect class="bar" x="{x}" y="{top:.1f}" width="{wide - 8}" '
                f'height="{high * share:.1f}"/>'
            ),
            f'<text x="{x}" y="{high + 26}">{row["from"]:g} to {row["to"]:g} {unit}</text>',
            f'<text x="{x}" y="{high + 42}">{row["found"]} of {row["appearances"]}</text>',
        ]
    shapes.append('<text x="40" y="20">100 %</text>')
    shapes.append(f'<text x="50" y="{high + 10}">0 %</text>')
    return _svg(shapes, high + 50)


def _svg(shapes: Sequence[str], high: int) -> str:
    body = "\n".join(shapes)
    return f'<svg viewBox="0 0 {_WIDE} {high}" width="{_WIDE}" height="{high}">\n{body}\n</svg>'
