"""A pipeline loop with everything around it, on made-up people and a fake clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from agent.adapters.activation_file import ActivationFile
from agent.adapters.gallery import ListGallery, build_gallery
from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.config import Config, WatchlistConfig
from agent.delivery import EventWriter, OpenEvents, remembered
from agent.messages import new_ulid
from agent.pipeline import Pipeline, PipelineSettings, decision_rule
from agent.policy import Rulebook, combine
from agent.policy.trusted_time import TimeSigns
from agent.runtime.arming import Arming, Workings
from agent.runtime.board import Board
from agent.runtime.circumstances import Lookout
from agent.runtime.daily import Daily
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import Arm, Order
from agent.runtime.pipeline_loop import PipelineLoop, Surroundings
from agent.values import BgrImage, Frame, Monotonic, Wall
from agent.values.place import Fix
from agent.watchlist.columns import StoredList
from tests.support.alerts import CONTEXT
from tests.support.clocks import FakeClock
from tests.support.lists import a_meta, columns_of
from tests.support.logs import KeptLog
from tests.support.monitors import a_monitor
from tests.support.portraits import SPACE, PortraitDetector, PortraitEmbedder, portrait, template

MAN, STRANGER, NOBODY = 200, 60, 0
LIST_SHA256 = "f" * 64
NETWORKS = {"detector": "d" * 64, "embedder": "e" * 64}
CURVE = ((0.363, 1e-3), (0.424, 1e-4), (0.489, 1e-5), (0.560, 1e-6), (0.668, 1e-7))


def gallery_of(*people: int, version: int = 1, now: float = 1_800_000_000.0) -> ListGallery:
    """Each is listed as entry `E-<number>`."""
    if not people:
        return build_gallery(StoredList.empty(), now=Wall(now), config=WatchlistConfig(), threads=1)
    metas = [a_meta(person) for person in people]
    vectors = np.stack([template(person) for person in people])
    columns = columns_of(metas, [1] * len(people), vectors)
    stored = StoredList("local-1", version, SPACE, columns, LIST_SHA256)
    return build_gallery(stored, now=Wall(now), config=WatchlistConfig(), threads=1)


@dataclass
class KeptLedger:
    """An audit log in memory."""

    records: list[tuple[str, dict[str, str | int]]] = field(default_factory=list)

    def append(self, kind: str, **fields: str | int) -> None:
        self.records.append((kind, fields))

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.records]


class Rig:
    """A pipeline loop; frames are put into its mailbox and turned by hand."""

    def __init__(
        self,
        folder: Path,
        gallery: ListGallery | None = None,
        events: EventWriter | None = None,
        book: Rulebook | None = None,
        clock: FakeClock | None = None,
    ) -> None:
        self.book = book or Rulebook()
        self.signs, self.fpir = TimeSigns(kernel=True), ""
        self.fix: Fix | None = None
        self.events = events or OpenEvents(CONTEXT)
        self.clock = clock or FakeClock()
        self.log, self.ledger = KeptLog(), KeptLedger()
        self.board = Board(self.clock)
        self.monitor = a_monitor()
        self.beats = Heartbeats(self.clock, {"pipeline": 5.0})
        self.mailbox: Mailbox[Order] = Mailbox(live=True)
        self.outbox = SqliteOutbox(folder / "outbox.sqlite")
        self.told: list[str] = []
        self.here: Fix | None = None
        self.embedder = PortraitEmbedder()
        self._ids = 0
        config = Config()
        gallery = gallery or gallery_of(MAN)
        self.kept = ActivationFile(folder / "activation.json")
        self.arming = self._arming(config)
        self.loop = PipelineLoop(
            Pipeline(
                PortraitDetector(),
                self.embedder,
                gallery,
                PipelineSettings.of(config),
                new_id=self.new_id,
                timer=self.clock.monotonic,
            ),
            gallery,
            self.mailbox,
            self.arming,
            self._around(),
        )
        self._seq = 0

    def new_id(self, wall: Wall) -> str:
        self._ids += 1
        return new_ulid(wall_s=wall, randomness=self._ids.to_bytes(10, "big"))

    def arm(self, authorisation: str = "TEST-1", **fields: str) -> Arm:
        order = Arm("patrol", authorisation, 1000, **fields)
        self.mailbox.post(order)
        self.loop.turn(0)
        return order

    def show(self, person: int, seconds: float, step_s: float = 0.1) -> None:
        """Somebody stands before the camera."""
        for _ in range(round(seconds / step_s)):
            now = self.clock
            at, wall = Monotonic(now.now), Wall(now.wall_now)
            self.mailbox.put(Frame(self._picture(person), self._seq, at, wall))
            self._seq += 1
            self.loop.turn(0)
            self.clock.advance(step_s)

    def _picture(self, person: int) -> BgrImage:
        return portrait(person) if person else portrait()

    def _arming(self, config: Config) -> Arming:
        sealed = not isinstance(self.events, OpenEvents)
        workings = Workings(
            limits=lambda policy: combine(policy, config.decision, sealed=sealed),
            rule_for=lambda limits, templates: decision_rule(limits, CURVE, templates),
            marks=self._marks(),
            here=Lookout(self.clock, lambda: self.signs, self, lambda: self.fpir).here,
            daily=Daily(self.events.told, self.outbox.cooldowns, self.clock),
            kept=self.kept,
            clock=self.clock,
            new_id=self.new_id,
        )
        return Arming(workings, self.book)

    def latest(self) -> Fix | None:
        """A receiver of positions."""
        return self.fix

    def _marks(self) -> Callable[[str], Mapping[str, tuple[str, Monotonic]]]:
        return partial(remembered, self.events, self.outbox.cooldowns)

    def _around(self) -> Surroundings:
        return Surroundings(
            outbox=self.outbox,
            notify=self.told.append,
            events=self.events,
            ledger=self.ledger,
            monitor=self.monitor,
            board=self.board,
            heartbeats=self.beats,
            log=self.log,
            clock=self.clock,
            uid=7,
            networks=NETWORKS,
            here=lambda: self.here,
        )
