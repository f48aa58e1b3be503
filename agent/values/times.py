"""Two kinds of time that must never be mixed.

`Monotonic` orders things on this device; `Wall` is what a court, a broker or another machine
understands. Both are seconds; the type checker keeps them apart.
"""

from __future__ import annotations

from typing import NewType

Monotonic = NewType("Monotonic", float)
"""Seconds on a clock that never goes back; the zero is arbitrary."""

Wall = NewType("Wall", float)
"""Seconds since 1970-01-01 UTC."""
