"""What reviewers decided, told to the cameras: these count rejected alerts (`agent.policy`).

It is said in an acknowledgement of the event, which changes nothing when it comes twice. So it is
said when it is decided, again when this program starts, and again whenever a camera starts a
session: a camera that was off hears of it then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.adapters.signing import Signs
from agent.errors import BodycamError
from agent.hub.casebook import Casebook
from agent.hub.devices import Device
from agent.hub.event_store import StoredEvent
from agent.hub.event_values import StateHeard
from agent.hub.saying import ack_messages
from agent.messages import MATCH_TYPE

AGAIN_S: Final = 30 * 86_400.0
"""Alerts older than this are not spoken of again."""
_DECIDED: Final = (
    "WHERE type = ? AND purged IS NULL AND received >= ?"
    " AND number IN (SELECT event FROM review WHERE number > ?)"
)


@dataclass
class Outcomes:
    """Attributes:
    casebook: what reviews come to.
    devices: of the register.
    signer: with the acknowledging key that a camera knows.
    topics: `{prefix}/{agency}`.
    """

    casebook: Casebook
    devices: Callable[[], Sequence[Device]]
    signer: Callable[[Device], Signs]
    topics: str
    _last: int = 0
    _sessions: dict[str, int] = field(default_factory=dict)

    def due(self, states: Iterable[StateHeard], *, now: float) -> list[tuple[str, bytes]]:
        """(topic, payload) to be published: of reviews since the last call, and everything for the
        cameras that have just started a session.

        Raises:
            DataError: an event was changed in the database.
        """
        fresh = [one.device.key_id for one in states if self._is_new(one)]
        (newest,) = self.casebook.store.database.read("SELECT coalesce(max(number), 0) FROM review")
        events = self._reviewed_since(self._last, now) if newest[0] > self._last else []
        self._last = newest[0]
        known = {one.id for one in events}
        for key in fresh:
            again = self._reviewed_since(0, now)
            events += [one for one in again if one.device_key == key and one.id not in known]
        return self._messages(events, now) if events else []

    def _is_new(self, heard: StateHeard) -> bool:
        if not heard.state.online:
            return False
        before = self._sessions.get(heard.device.key_id)
        self._sessions[heard.device.key_id] = heard.state.session
        return before != heard.state.session

    def _reviewed_since(self, number: int, now: float) -> list[StoredEvent]:
        return self.casebook.store.events(_DECIDED, MATCH_TYPE, now - AGAIN_S, number)

    def _messages(self, events: Sequence[StoredEvent], now: float) -> list[tuple[str, bytes]]:
        devices = {one.key_id: one for one in self.devices()}
        messages: list[tuple[str, bytes]] = []
        for key, device in devices.items():
            mine = [one for one in events if one.device_key == key]
            came_to = {one.id: self.casebook.case(one).status for one in mine}
            decided = [one for one, status in came_to.items() if status != "pending"]
            try:
                signer = self.signer(device)
            except BodycamError:  # provisioned without event keys: it has sent nothing either
                continue
            messages += [
                (f"{self.topics}/{device.name}/ack", ack.model_dump_json().encode())
                for ack in ack_messages(
                    *(self.casebook.agency, device.name, decided, signer),
                    now=now,
                    outcomes=came_to,
                )
            ]
        return messages
