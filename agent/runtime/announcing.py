"""Announcing to Home Assistant, and taking away what is no longer announced."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Protocol

from agent.ports import Transport

_SURELY: Final = 2
"""Every connection tells it; after so many health messages, a minute apart, one has."""


class Announced(Protocol):
    """Topics that the broker keeps for us, remembered over restarts."""

    def read(self) -> tuple[str, ...]: ...

    def write(self, topics: Collection[str]) -> None: ...


class Announcing:
    """What is announced is remembered first, so that it can always be taken away.

    Args:
        transport: retains messages; not started yet.
        announced: remembers topics.
        wanted: topic to payload, as it is to be from now on; empty: nothing.

    Raises:
        DiskError: it cannot be remembered, so nothing was announced.
    """

    def __init__(
        self, transport: Transport, announced: Announced, wanted: Mapping[str, bytes]
    ) -> None:
        before = set(announced.read())
        self._announced = announced
        self._wanted = frozenset(wanted)
        self._gone = before - self._wanted
        self._told = 0
        if self._wanted - before:
            announced.write(before | self._wanted)
        for topic, payload in wanted.items():
            transport.retain(topic, payload)
        for topic in sorted(self._gone):
            transport.retain(topic, b"")

    def published(self) -> None:
        """A health message went out; now and then one that proves that the rest did, too.

        Raises:
            DiskError: it cannot be written down.
        """
        if self._gone and self._told < _SURELY:
            self._told += 1
            if self._told == _SURELY:
                self._announced.write(self._wanted)
