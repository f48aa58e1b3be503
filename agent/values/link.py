"""How the way out is doing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """Counts and days; nothing about a person.

    Attributes:
        certificate_days: whole days until our own certificate ends, negative afterwards; None
            without one.
        broker_certificate_days: the same for the broker's, at the last connection.
        unheard: topics to the device (last levels) that the broker has not granted on this
            connection.
        heard: messages to the device that were taken, since the start.
        dropped: given up because they came faster than they could be worked on.
        oversized: skipped over for their length.
        failed: a listener failed with; acknowledged all the same.
    """

    certificate_days: int | None = None
    broker_certificate_days: int | None = None
    unheard: tuple[str, ...] = ()
    heard: int = 0
    dropped: int = 0
    oversized: int = 0
    failed: int = 0
