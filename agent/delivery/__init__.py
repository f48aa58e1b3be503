"""What to send next, and in which words. Values in, values out."""

from agent.delivery.backoff import Backoff
from agent.delivery.core import DeliveryCore
from agent.delivery.events import (
    EventContext,
    drill_alert,
    encode,
    match_event,
    open_payload,
    outbox_entry,
)
from agent.delivery.gaps import gap_entry
from agent.delivery.limits import DeliveryLimits
from agent.delivery.session import Session
from agent.delivery.writing import EventWriter, NoEvents, OpenEvents, remembered

__all__ = [
    "Backoff",
    "DeliveryCore",
    "DeliveryLimits",
    "EventContext",
    "EventWriter",
    "NoEvents",
    "OpenEvents",
    "Session",
    "drill_alert",
    "encode",
    "gap_entry",
    "match_event",
    "open_payload",
    "outbox_entry",
    "remembered",
]
