"""A pipeline loop under signed rules, on a fake clock: what arrives at the device, and what befalls
it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.rules_store import FILE, RulesStore, sealed_rules
from agent.adapters.sealing_writer import SealedEvents
from agent.adapters.signing import signed, verify
from agent.delivery.inbound import CommandKeys
from agent.messages.authorisation import Authorisation, Revocation
from agent.policy import Rulebook
from agent.policy.loaded import Loaded, Whose
from agent.policy.trusted_time import TimeSigns
from agent.runtime.orders import Disarm, NewGallery, NewRules
from agent.runtime.rules_desk import Means, RulesDesk
from agent.values import Monotonic
from agent.values.place import Fix
from tests.support.agents import MAN, KeptLedger, Rig, gallery_of
from tests.support.alerts import CONTEXT
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog
from tests.support.policies import SIGNER, an_authorisation, policy_text

KEYS = DeviceKeys(bytes(32), bytes(range(64)))
AGENCY_KEY = DeviceKeys(bytes([1]) * 32, bytes(range(64, 128))).seal_key
WHOSE = Whose("example-pd", "CAM-7")
INSIDE, OUTSIDE = (0.0, 0.0), (1.0, 0.0)


class Ruled:
    """One device over several lives. Policy `uk-live-deployment` unless another comes."""

    def __init__(self, folder: Path, clock: FakeClock | None = None) -> None:
        self.folder = folder
        self.clock = clock or FakeClock()
        self.ledger = KeptLedger()
        self.version = 0
        self.ntp = True
        self.position: tuple[float, float] | None = INSIDE
        self.fix_at = self.clock.now
        self.kept: Any = RulesStore(folder, lambda: KEYS)
        (folder / FILE).write_bytes(sealed_rules(KEYS, Loaded()))
        (folder / FILE).chmod(0o600)
        self._begin()

    def _begin(self) -> None:
        means = Means(
            kept=self.kept,
            whose=WHOSE,
            keys=lambda: CommandKeys({_name(): SIGNER.sign_key}, 1e12),
            verify=verify,
            ledger=self.ledger,
            log=KeptLog(),
            recorded=self._recorded,
        )
        self.desk = RulesDesk(means)
        events = SealedEvents(CONTEXT, AGENCY_KEY, lambda: KEYS)
        self.rig = Rig(self.folder, gallery_of(MAN), events, self.desk.book, self.clock)
        self.desk.post = self._post
        self.refresh()

    def _recorded(self) -> int:
        numbers = [told["generation"] for kind, told in self.ledger.records if kind == "rules"]
        return int(numbers[-1]) if numbers else 0

    def _post(self, book: Rulebook, gone: frozenset[str]) -> None:
        self.rig.mailbox.post(NewRules(book, gone))

    def refresh(self) -> None:
        """The receiver and the kernel as they are now."""
        self.rig.signs = TimeSigns(kernel=self.ntp)
        self.rig.fix = None
        if self.position is not None:
            self.rig.fix = Fix(*self.position, 5.0, None, Monotonic(self.fix_at))

    def turn(self) -> None:
        self.refresh()
        self.rig.loop.turn(0)

    def publish(self, *authorisations: Authorisation, **sections: Any) -> None:
        """A look at what the agency publishes: a new policy, and these."""
        self.version += 1
        name = sections.pop("name", "uk-live-deployment")
        made = {"version": self.version, "lists": _LISTS} | sections
        text = policy_text(name, now=self.clock.wall_now - 60, **made)
        self.text = text
        documents = [one.model_dump_json().encode() for one in authorisations]
        self.desk.listing(text, documents, [])
        self.turn()
        self.recheck()

    def recheck(self) -> None:
        """The builder held the list to the policy in force."""
        under = self.desk.book.policy.sha256()
        self.rig.mailbox.post(NewGallery(self.rig.loop.gallery, under=under))
        self.turn()

    def authorise(self, **changes: Any) -> None:
        now = changes.pop("now", self.clock.wall_now)
        self.desk.authorise(an_authorisation(now=now, **changes))
        self.turn()

    def revoke(self, name: str = "W-1") -> None:
        self.desk.revoke(a_revocation(name))
        self.turn()

    def arm(self, name: str = "W-1") -> bool:
        self.refresh()
        order = self.rig.arm(name)
        try:
            order.answer.wait(0)
        except Exception as error:  # noqa: BLE001 -- every refusal counts as one
            self.refusal = str(error)
            return False
        return True

    def disarm(self) -> None:
        self.rig.mailbox.post(Disarm("operator", 1000))
        self.turn()

    def step(self, seconds: float, step_s: float = 0.1) -> int:
        """The man stands before the camera; how many frames were looked at."""
        before = self.rig.loop.tally.processed
        self.refresh()
        self.rig.show(MAN, seconds, step_s)
        return self.rig.loop.tally.processed - before

    def restart(self, *, orderly: bool) -> None:
        """Another life; after a kill the activation is taken up again, if it may be."""
        if orderly:
            self.rig.loop._duty.disarm("stop", 7, _stopped())
        self.rig.outbox.close()
        self._begin()
        cut = self.rig.arming.interrupted()
        if cut is not None:
            self.rig.arm(cut.authorisation, resumes=cut.id)

    def alerts(self) -> int:
        return self.rig.outbox.depth()

    def found_under(self, name: str) -> int:
        """Alerts on disk that the authorisation can be named for."""
        parts = self.rig.events.of_authorisation(name)
        return sum(
            any(one.payload[at:].startswith(part) for part, at in parts)
            for one in self.rig.outbox.pending(10_000)
        )

    def close(self) -> None:
        self.rig.outbox.close()


_LISTS = {"bases": ["consent"], "purposes": ["test"]}


def a_revocation(name: str = "W-1", **changes: Any) -> Revocation:
    values = {
        "format": "bodycam.revocation.v1",
        "agency": "example-pd",
        "authorisation": name,
        "reason": "quashed",
        "at": "2027-01-15T08:00:00.000Z",
    } | changes
    return Revocation.model_validate(signed(values, SIGNER))


def _name() -> str:
    from agent.adapters.sealing import key_id

    return key_id(SIGNER.sign_key)


def _stopped() -> Any:
    from agent.policy.states import Cause

    return Cause.SOURCE_ENDED
