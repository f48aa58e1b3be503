"""What to send next, and in which words. Values in, values out."""

from agent.delivery.backoff import Backoff
from agent.delivery.core import DeliveryCore, DeliveryLimits
from agent.delivery.events import EventContext, encode, match_event, outbox_entry
from agent.delivery.session import Session

__all__ = [
    "Backoff",
    "DeliveryCore",
    "DeliveryLimits",
    "EventContext",
    "Session",
    "encode",
    "match_event",
    "outbox_entry",
]
