"""An arming, as it is kept over a crash."""

from __future__ import annotations

from dataclasses import dataclass

from agent.values.times import Monotonic, Wall


@dataclass(frozen=True, slots=True)
class KeptActivation:
    """Who armed the device, why, and when it was last known to be armed.

    Attributes:
        id: ULID of the activation.
        reason, authorisation: as given at arming.
        uid: of the user who armed.
        boot: of the machine; monotonic time means nothing beyond it.
        alive_at, alive_wall: the latest sign of life, on both clocks, s.
    """

    id: str
    reason: str
    authorisation: str
    uid: int
    boot: str
    alive_at: Monotonic
    alive_wall: Wall
