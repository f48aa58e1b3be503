"""A hub with an alert to decide on: an enrolled photograph, evidence, and reviewers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.hub.casebook import Case, Casebook
from agent.hub.commands.review import open_casebook
from agent.hub.composing import Composer
from agent.hub.desk import Desk, open_desk
from agent.hub.event_store import StoredEvent
from agent.hub.gather import Networks, Rules, from_photographs
from agent.hub.keyfiles import KeyFiles
from agent.hub.passphrases import Passphrases
from agent.hub.progress import silent
from agent.hub.reviewers import key_path
from agent.policy import FIELD_TEST
from tests.support.field_cameras import FieldCamera, hub_station, with_list
from tests.support.hub_photos import portrait_models
from tests.support.hubs import DAY_S, FAST, HubWorld, QuickDisk, secret
from tests.support.portraits import save_portrait

OWN_WORDS = "the words of a reviewer"
_HEADER = "image,entry,subject,basis,purpose,authorisation,priority,not_before,not_after"


@dataclass
class Casework:
    """Attributes:
    list_id: of the list with entry E-1, subject S-1, of one photograph.
    """

    world: HubWorld
    camera: FieldCamera
    list_id: str = ""

    def enrol(self) -> None:
        folder = self.world.folder
        save_portrait(folder / "1.png", 1)
        line = "1.png,E-1,S-1,consent,test,A-1,0,,2999-12-31"
        (folder / "list.csv").write_text(f"{_HEADER}\n{line}\n")
        context = self.world.context()
        with open_desk(context) as desk:
            self.list_id = _published(self.world, desk, folder / "list.csv")

    def alert(self, **changes: Any) -> StoredEvent:
        """One that arrived."""
        evidence = {"evidence": changes.pop("evidence")} if "evidence" in changes else {}
        alert = with_list(self.camera.alert(**changes), self.list_id or "L-0")
        event = self.camera.event(alert, **evidence)
        return self.arrive(event)

    def arrive(self, event: Any) -> StoredEvent:
        with hub_station(self.world) as hub:
            assert hub.take(self.camera.message(self.camera.sealed(event))).stored
            return hub.station.store.get(f"{self.camera.name}/{event.id}")

    @contextmanager
    def book(self) -> Iterator[Casebook]:
        with open_casebook(self.world.context()) as book:
            yield book

    def reviewer(self, name: str) -> Path:
        """A new reviewer; the file with their passphrase."""
        words = secret(self.world.folder / f"{name}.words", f"{OWN_WORDS} {name}")
        self.world("reviewers", "add", name, "--reviewer-passphrase-file", words)
        return words

    def decide(self, book: Casebook, stored: StoredEvent, name: str, decision: Any) -> Case:
        words = self.world.folder / f"{name}.words"
        files = KeyFiles(Passphrases((words,), ask=None), FAST, QuickDisk())
        keys = self.world.context().keys_dir
        signer = book.reviewers.signer(name, key_path(keys, name), files)
        reviewer, case = book.reviewers.get(name), book.case(stored)
        return book.decide(case, reviewer, signer, decision, "ears", now=self.world.now)


def _published(world: HubWorld, desk: Desk, source: Path) -> str:
    models = portrait_models()
    curve = ((0.3, 1e-2), (0.5, 1e-5), (0.7, 1e-7))
    networks = Networks(models.detector.identity, models.embedder.identity, curve, portrait_models)
    rules = Rules(FIELD_TEST, world.now, may_be_over=True)
    gathered = from_photographs(
        source, {}, networks, desk.ledger, rules=rules, workers=0, progress=silent
    )
    record = desk.lists.create("wanted", now=world.now, randomness=world.context().randomness)
    desk.issue(record, Composer(world.now + DAY_S, gathered, whole=True), world.now)
    return record.id
