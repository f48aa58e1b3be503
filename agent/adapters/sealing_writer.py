"""Events of a provisioned device: sealed to its agency and signed when they are committed.

Nothing in the outbox says who was seen: neither the events nor the cool-down marks, whose keys are
the subject encrypted under the store key.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.sealed_events import seal_event
from agent.delivery.events import MATCH_TOPIC, EventContext, match_event
from agent.delivery.gaps import GAP_PRIORITY, gap_event
from agent.delivery.sealing import armed_tagged, sealed_payload, tagged
from agent.errors import DataError
from agent.messages import Evidence
from agent.messages.signed import to_text
from agent.ports.outbox import TOLD
from agent.values import Alert, Gap, OutboxEntry, Wall

_SUBJECT: Final = 64
"""Characters of the longest subject; all marks are equally long."""


@dataclass(frozen=True, slots=True)
class SealedEvents:
    """Implements `agent.delivery.writing.EventWriter`.

    Attributes:
        context: what every event of the run has in common.
        alert_key: the agency's X25519 public key, 32 bytes.
        keys: of the device; raises RefusedError while they are locked.
    """

    context: EventContext
    alert_key: bytes
    keys: Callable[[], DeviceKeys]

    def match(self, alert: Alert) -> OutboxEntry:
        event = match_event(alert, self.context)
        if alert.evidence is not None:
            picture = Evidence(data=to_text(alert.evidence.tobytes()))
            event = event.model_copy(
                update={"data": event.data.model_copy(update={"evidence": picture})}
            )
        return OutboxEntry(
            id=alert.id,
            topic=MATCH_TOPIC,
            payload=seal_event(event, self.alert_key, self.keys(), *self._tags(alert)),
            priority=alert.ref.priority,
            created_at=alert.raised_at,
        )

    def gap(self, gap: Gap, *, event_id: str, test: bool, now: Wall) -> OutboxEntry:
        event = gap_event(gap, self.context, event_id=event_id, test=test, now=now)
        return OutboxEntry(
            id=event_id,
            topic=MATCH_TOPIC,
            payload=seal_event(event, self.alert_key, self.keys()),
            priority=GAP_PRIORITY,
            created_at=now,
            gap=True,
        )

    def finish(self, entry: OutboxEntry, historical: bool) -> bytes:
        return sealed_payload(entry, historical)

    def of_authorisation(self, authorisation: str) -> tuple[tuple[bytes, int], ...]:
        """As the protocol: entries on the list for its sake, and alerts while armed under it."""
        return (tagged(self._tag(authorisation)), 0), armed_tagged(self._tag(authorisation))

    def told(self, subject: str) -> str:
        return f"{TOLD}{self.keys().mac(subject.encode(), b'subject')}/"

    def _tags(self, alert: Alert) -> tuple[str, str]:
        armed = self._tag(alert.armed_under) if alert.armed_under else ""
        return self._tag(alert.ref.authorisation), armed

    def _tag(self, authorisation: str) -> str:
        return self.keys().mac(authorisation.encode(), b"authorisation")

    def mark(self, activation: str, subject: str) -> str:
        """A new one at every call, though it says the same."""
        blob = self.keys().encrypt(subject.ljust(_SUBJECT).encode(), _about(activation))
        return f"{activation}/{base64.urlsafe_b64encode(blob).decode()}"

    def subject(self, activation: str, rest: str) -> str | None:
        try:
            blob = base64.urlsafe_b64decode(rest)
            return self.keys().decrypt(blob, _about(activation)).decode().rstrip()
        except (DataError, ValueError):
            return None


def _about(activation: str) -> bytes:
    return f"bodycam.mark.v1/{activation}".encode()
