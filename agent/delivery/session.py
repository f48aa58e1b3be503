"""Birth, changes, last words and last will of one session: the retained state message."""

from __future__ import annotations

from dataclasses import dataclass

from agent.messages import StateMessage, iso_utc
from agent.values import Wall
from agent.values.states import State

_LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Session:
    """One start of the agent. The same number is in every state message of it, the will too, so
    that the late death of an earlier session is told from the death of this one.

    Attributes:
        number: grows by one at every start; kept in the outbox.
        version: of the agent.
        test: begun under a policy for field tests: what the last will says.
    """

    number: int
    version: str
    test: bool

    def online(
        self,
        state: State,
        reason: str,
        *,
        since: Wall,
        test: bool | None = None,
        watchlist: str | None = None,
    ) -> bytes:
        """Birth, or a change of state.

        Args:
            state: what the device does now.
            reason: why, for an operator; cut at 200 characters.
            since: wall-clock seconds of the change.
            test: the policy in force is one for field tests; None: as at the beginning.
            watchlist: id of the list in use.
        """
        return self._encode(True, state, reason, iso_utc(since), watchlist, test=test)

    def final(self, reason: str, *, since: Wall, test: bool | None = None) -> bytes:
        """The last words of an orderly stop."""
        return self._encode(False, "off", reason, iso_utc(since), None, test=test)

    def will(self) -> bytes:
        """What the broker says for us when we are gone without a word. Carries no time: it is
        written at connecting, long before it is true.
        """
        return self._encode(False, "off", "connection lost", None, None)

    def _encode(
        self,
        online: bool,
        state: State,
        reason: str,
        since: str | None,
        watchlist: str | None = None,
        *,
        test: bool | None = None,
    ) -> bytes:
        message = StateMessage(
            session=self.number,
            online=online,
            state=state,
            reason=reason[:_LONGEST_REASON],
            version=self.version,
            since=since,
            watchlist=watchlist,
            test=self.test if test is None else test,
        )
        return message.model_dump_json(by_alias=True).encode()
