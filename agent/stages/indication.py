"""What lamp and vibrator do in each state.

Whoever stands before the camera can tell from the lamp whether it looks for somebody: it is lit
without a break then, and only then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Signal:
    """Attributes:
    on_ms, off_ms: the lamp, again and again; never off: lit without a break; never on: dark.
    buzz_ms: one pulse of the vibrator when this state begins; 0: none.
    """

    on_ms: int
    off_ms: int
    buzz_ms: int = 0


TROUBLE: Final = Signal(100, 100, buzz_ms=1000)
"""Also for a state that is not in the table: better seen than trusted."""
SIGNALS: Final[Mapping[str, Signal]] = MappingProxyType(
    {
        "off": Signal(0, 1),
        "disarmed": Signal(50, 2950, buzz_ms=400),
        "arming": Signal(250, 250),
        "armed": Signal(1, 0, buzz_ms=150),
        "degraded": TROUBLE,
        "locked": Signal(50, 950),
    }
)


def signal_for(state: str) -> Signal:
    return SIGNALS.get(state, TROUBLE)
