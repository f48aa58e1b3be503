"""What the device is doing, as a table: every change of mode with its cause, and no other.

`degraded` is no mode of its own: it is what a device shows that is armed or disarmed while
something is wrong with it, because an armed device that sees nothing must not look healthy.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from agent.values.states import State


class Mode(str, Enum):
    """What the device is doing."""

    OFF = "off"
    LOCKED = "locked"
    DISARMED = "disarmed"
    ARMING = "arming"
    ARMED = "armed"


class Cause(str, Enum):
    """Why it changes: what the audit log and an operator are told."""

    STARTED = "started"
    STOPPED = "stopped"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    ASKED = "asked"
    GRANTED = "granted"
    REFUSED = "refused"
    OPERATOR = "operator"
    COMMAND = "command"
    ARMED_ANEW = "armed-anew"
    SOURCE_ENDED = "source-ended"
    SIGNAL = "signal"
    RULES = "rules"
    POLICY_OVER = "policy-over"
    POLICY_CHANGED = "policy-changed"
    AUTHORISATION_OVER = "authorisation-over"
    REVOKED = "revoked"
    TIME = "time"
    SCHEDULE = "schedule"
    AREA = "area"
    LIST = "list"
    FPIR = "fpir"
    STORAGE = "storage"
    POWER = "power"
    FAILURE = "failure"


DISARMING: Final = frozenset(
    {
        Cause.OPERATOR,
        Cause.COMMAND,
        Cause.ARMED_ANEW,
        Cause.SOURCE_ENDED,
        Cause.SIGNAL,
        Cause.RULES,
        Cause.POLICY_OVER,
        Cause.POLICY_CHANGED,
        Cause.AUTHORISATION_OVER,
        Cause.REVOKED,
        Cause.TIME,
        Cause.SCHEDULE,
        Cause.AREA,
        Cause.LIST,
        Cause.FPIR,
        Cause.STORAGE,
        Cause.POWER,
        Cause.FAILURE,
    }
)
"""What ends an activation."""

TABLE: Final[Mapping[tuple[Mode, Cause], Mode]] = {
    (Mode.OFF, Cause.STARTED): Mode.DISARMED,
    (Mode.DISARMED, Cause.ASKED): Mode.ARMING,
    (Mode.DISARMED, Cause.LOCKED): Mode.LOCKED,
    (Mode.DISARMED, Cause.STOPPED): Mode.OFF,
    (Mode.ARMING, Cause.GRANTED): Mode.ARMED,
    (Mode.ARMING, Cause.REFUSED): Mode.DISARMED,
    (Mode.ARMED, Cause.STOPPED): Mode.OFF,
    (Mode.LOCKED, Cause.UNLOCKED): Mode.DISARMED,
    (Mode.LOCKED, Cause.STOPPED): Mode.OFF,
    **{(Mode.ARMED, cause): Mode.DISARMED for cause in DISARMING},
}
"""There is one way to be armed: asked, and granted. Everything else leads away from it."""

_SHOWN: Final[Mapping[Mode, State]] = {
    Mode.OFF: "off",
    Mode.LOCKED: "locked",
    Mode.DISARMED: "disarmed",
    Mode.ARMING: "arming",
    Mode.ARMED: "armed",
}


def after(mode: Mode, cause: Cause) -> Mode:
    """The mode that follows; the same where the cause changes nothing."""
    return TABLE.get((mode, cause), mode)


def shown(mode: Mode, *, trouble: bool) -> State:
    """What LED, operator and agency are shown."""
    if trouble and mode in (Mode.DISARMED, Mode.ARMED):
        return "degraded"
    return _SHOWN[mode]
