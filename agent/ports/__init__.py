"""What the core asks of the world, as small Protocols. Adapters implement them."""

from agent.ports.camera import Camera
from agent.ports.clock import Clock
from agent.ports.gallery import Gallery
from agent.ports.models import Detector, Embedder, ModelIdentity
from agent.ports.outbox import Outbox
from agent.ports.storage import StorageEvents
from agent.ports.transport import Transport, TransportEvents

__all__ = [
    "Camera",
    "Clock",
    "Detector",
    "Embedder",
    "Gallery",
    "ModelIdentity",
    "Outbox",
    "StorageEvents",
    "Transport",
    "TransportEvents",
]
