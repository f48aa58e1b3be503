"""What may be asked of the pipeline between two frames."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TypeAlias

from agent.errors import BodycamError, UnavailableError
from agent.policy import Rulebook
from agent.policy.states import Cause
from agent.ports import Gallery
from agent.stages.governor import Effort


class Answer:
    """The outcome of an order, for whoever waits for it."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._error: BodycamError | None = None

    def settle(self, error: BodycamError | None = None) -> None:
        self._error = error
        self._done.set()

    def wait(self, timeout_s: float) -> None:
        """Until the order was carried out.

        Raises:
            BodycamError: why it was refused.
            UnavailableError: the pipeline did not come round to it in time.
        """
        if not self._done.wait(timeout_s):
            raise UnavailableError("the agent is busy; ask again")
        if self._error is not None:
            raise self._error


@dataclass(frozen=True, slots=True)
class Arm:
    """Begin to look.

    Attributes:
        reason, authorisation: as the operator gave them.
        uid: of the user who asked.
        resumes: id of the activation that a crash interrupted; empty for a new one.
    """

    reason: str
    authorisation: str
    uid: int
    resumes: str = ""
    answer: Answer = field(default_factory=Answer)


@dataclass(frozen=True, slots=True)
class Disarm:
    """Stop looking. `uid`: of the user who asked; `cause`: what kind of reason it is."""

    reason: str
    uid: int
    cause: Cause = Cause.OPERATOR
    answer: Answer = field(default_factory=Answer)


@dataclass(frozen=True, slots=True)
class NewGallery:
    """Search this version of the list from now on.

    Attributes:
        same_list: the entries are those searched until now, only the way is another: no verdict
            changes, and there is nothing for the audit log.
        under: hash of the policy that the entries were held to, or of a later one.
    """

    gallery: Gallery
    same_list: bool = False
    under: str = ""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The list may not be used any more: nobody is matched, and the device disarms.

    Attributes:
        gallery: nobody's.
        reason: why, in one line.
        uid: of the agent itself.
    """

    gallery: Gallery
    reason: str
    uid: int


@dataclass(frozen=True, slots=True)
class Adjust:
    """Do so much from now on."""

    effort: Effort


@dataclass(frozen=True, slots=True)
class NewRules:
    """These rules hold from now on.

    Attributes:
        book: the rules.
        revoked: authorisations of which nothing may be left: what was found under them goes.
    """

    book: Rulebook
    revoked: frozenset[str] = frozenset()


Order: TypeAlias = Adjust | Arm | Disarm | NewGallery | NewRules | Withdraw
