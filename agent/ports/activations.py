"""Where the activation in force is kept."""

from __future__ import annotations

from typing import Protocol

from agent.values.activation import KeptActivation


class Activations(Protocol):
    """One activation, or none.

    Raises:
        DiskError: storage failed.
    """

    @property
    def boot(self) -> str:
        """An id that changes at every start of the machine."""

    def save(self, kept: KeptActivation) -> None: ...

    def load(self) -> KeptActivation | None:
        """What was saved last; None when nothing, or nothing readable, is there."""

    def clear(self) -> None: ...
