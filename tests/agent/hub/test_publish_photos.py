"""Lists of photographs: who gets on, who does not, and what the hub keeps of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import pytest

from agent.errors import BodycamError, DataError, RefusedError
from agent.hub.composing import Composer
from agent.hub.desk import Desk, open_desk
from agent.hub.gather import Gathered, Networks, Rules, from_photographs
from agent.hub.list_values import Facts
from agent.hub.near_duplicates import default_similarity
from agent.hub.progress import silent
from agent.hub.revoke import Revocation
from agent.hub.telling import write_run
from agent.policy import FIELD_TEST
from tests.support.hub_lists import Reader, entries
from tests.support.hub_photos import portrait_models
from tests.support.hubs import DAY_S, HubWorld
from tests.support.portraits import save_portrait

HEADER = "image,entry,subject,basis,purpose,authorisation,priority,not_before,not_after"
END = "2999-12-31"


def portrait_networks() -> Networks:
    models = portrait_models()
    curve = ((0.3, 1e-2), (0.5, 1e-5), (0.7, 1e-7))
    return Networks(models.detector.identity, models.embedder.identity, curve, portrait_models)


def sheet(folder: Path, rows: Sequence[tuple[str, str, str]]) -> Path:
    """A CSV of (image, entry, subject)."""
    lines = [
        f"{image},{entry},{subject},consent,test,A-1,0,,{END}" for image, entry, subject in rows
    ]
    path = folder / "list.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def people(folder: Path, *numbers: int) -> list[tuple[str, str, str]]:
    for number in numbers:
        save_portrait(folder / f"{number}.png", number)
    return [(f"{number}.png", f"E-{number}", f"S-{number}") for number in numbers]


def gather(world: HubWorld, desk: Desk, source: Path) -> Gathered:
    rules = Rules(FIELD_TEST, world.now, may_be_over=True)
    networks = portrait_networks()
    return from_photographs(
        source, {}, networks, desk.ledger, rules=rules, workers=0, progress=silent
    )


def publish(
    world: HubWorld, desk: Desk, rows: Sequence[tuple[str, str, str]], *, whole: bool = True
) -> tuple[Facts, Composer]:
    gathered = gather(world, desk, sheet(world.folder, rows))
    composer = Composer(
        world.now + DAY_S,
        gathered,
        whole=whole,
        least=default_similarity(portrait_networks().curve),
    )
    record = desk.lists.find("wanted") or desk.lists.create(
        "wanted", now=world.now, randomness=world.context().randomness
    )
    facts = desk.issue(record, composer, world.now)
    write_run(desk.reports(record), gathered.enrolment, composer.found, when=world.now)
    return facts, composer


def test_photographs_reach_a_camera(world: HubWorld) -> None:
    reader = Reader(world)
    rows = people(world.folder, 1, 2, 3)
    with open_desk(world.context()) as desk:
        publish(world, desk, rows)
        record = desk.lists.get("wanted")
        paths = desk.lists.photographs(record.id, "E-2")
        assert [path for _, path in paths] == [str(world.folder / "2.png")]
        assert desk.ledger.picture(paths[0][0]) is not None
    stored = reader.read(record.id)
    assert entries(stored) == {"E-1", "E-2", "E-3"}
    assert stored.space == "portraits"


def test_two_subjects_with_one_photograph_are_reported_and_not_merged(world: HubWorld) -> None:
    rows = [*people(world.folder, 1, 2), ("1.png", "E-9", "S-9")]
    with open_desk(world.context()) as desk:
        facts, composer = publish(world, desk, rows)
        assert (facts.entries, facts.duplicates) == (3, 1)
        assert composer.found is not None
        assert [(one.entry, one.other) for one in composer.found.pairs] == [("E-1", "E-9")]
        folder = desk.reports(desk.lists.get("wanted"))
        told = json.loads((folder / "photographs.json").read_bytes())["near_duplicates"]
        assert told["pairs"] == [{"entry": "E-1", "other": "E-9", "similarity": 1.0}]


def test_a_newcomer_is_compared_with_who_was_there(world: HubWorld) -> None:
    rows = people(world.folder, 1, 2)
    with open_desk(world.context()) as desk:
        publish(world, desk, rows)
        _, composer = publish(world, desk, [("2.png", "E-9", "S-9")], whole=False)
        assert composer.found is not None
        assert [(one.entry, one.other) for one in composer.found.pairs] == [("E-2", "E-9")]


def test_refused_photographs_are_listed_with_reasons(world: HubWorld) -> None:
    rows = people(world.folder, 1, 2, 3)
    save_portrait(world.folder / "2.png", 2, 3)
    (world.folder / "3.png").write_bytes(b"not a picture")
    with open_desk(world.context()) as desk:
        facts, _ = publish(world, desk, rows)
        folder = desk.reports(desk.lists.get("wanted"))
    assert facts.rejected == {"several_faces": 1, "unreadable": 1}
    assert facts.entries == 1
    with (folder / "rejected.csv").open(newline="") as stream:
        found = [(row["entry"], row["reason"]) for row in csv.DictReader(stream)]
    assert found == [("E-2", "several_faces"), ("E-3", "unreadable")]
    assert (folder / "rejected.csv").stat().st_mode & 0o077 == 0


def test_why_there_is_nothing_to_publish(world: HubWorld) -> None:
    path = sheet(world.folder, people(world.folder, 1, 2))
    save_portrait(world.folder / "2.png", 2, 3)
    text = path.read_text()

    def says(content: str, error: type[BodycamError], what: str) -> None:
        path.write_text(content)
        with open_desk(world.context()) as desk:
            gathered = gather(world, desk, path)
            record = desk.lists.find("wanted") or desk.lists.create(
                "wanted", now=world.now, randomness=world.context().randomness
            )
            with pytest.raises(error, match=what):
                desk.issue(record, Composer(world.now + DAY_S, gathered, whole=True), world.now)

    says(text.replace(END, "2020-01-01"), RefusedError, r"\(not_after\) of 2 entries is over$")
    says(
        text.replace(END, "2020-01-01", 1),
        DataError,
        r"of 1 entries is over, and of the others no photograph .* \(1 several faces\)$",
    )
    only = "\n".join(text.splitlines()[::2]) + "\n"
    says(
        only, DataError, r"^nothing to publish: no photograph was good enough \(1 several faces\)$"
    )


def test_after_a_revocation_no_report_names_anybody(world: HubWorld) -> None:
    with open_desk(world.context()) as desk:
        publish(world, desk, people(world.folder, 1, 2))
        folder = desk.reports(desk.lists.get("wanted"))
    assert len(list(folder.iterdir())) == 2
    world("revoke", "wanted", "--entry", "E-1")
    assert list(folder.iterdir()) == []


def test_policy_and_time_are_checked_before_any_template_is_made(world: HubWorld) -> None:
    path = sheet(world.folder, people(world.folder, 1, 2))
    text = path.read_text().replace("S-1,consent", "S-1,whim")
    path.write_text(text.replace("S-2,consent", "S-2,curiosity"))
    with open_desk(world.context()) as desk:
        with pytest.raises(RefusedError) as caught:
            gather(world, desk, path)
        first, second = str(caught.value).splitlines()
        assert "line 2: entry 'E-1': basis 'whim' is not allowed by the policy" in first
        assert "line 3: entry 'E-2': basis 'curiosity' is not allowed by the policy" in second
        assert desk.ledger.database.read("SELECT * FROM photograph") == []


def test_the_same_photographs_again_change_nothing(world: HubWorld) -> None:
    rows = people(world.folder, 1, 2, 3)
    with open_desk(world.context()) as desk:
        publish(world, desk, rows)
        facts, composer = publish(world, desk, rows)
        assert (facts.added, facts.removed, facts.replaced, facts.new_shards) == (0, 0, 0, 0)
        assert composer.gathered is not None
        assert composer.gathered.enrolment is not None
        assert composer.gathered.enrolment.embedded == 0


def test_a_removed_entry_takes_its_photograph_with_it(world: HubWorld) -> None:
    rows = people(world.folder, 1, 2)
    with open_desk(world.context()) as desk:
        publish(world, desk, rows)
        record = desk.lists.get("wanted")
        ((digest, _),) = desk.lists.photographs(record.id, "E-2")
        kept = desk.ledger.database.read("SELECT crop FROM photograph WHERE sha256 = ?", digest)
        needle = kept[0][0][40:100]
        assert needle in held(world)  # the control
        desk.issue(record, Revocation(world.now, entries=["E-2"]), world.now)
        assert desk.lists.photographs(record.id, "E-2") == []
        assert desk.ledger.picture(digest) is None
        assert needle not in held(world)
        ((other, _),) = desk.lists.photographs(record.id, "E-1")
        assert desk.ledger.picture(other) is not None


def held(world: HubWorld) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(world.state_dir.glob("lists.sqlite*")))


def test_a_photograph_that_another_entry_needs_stays(world: HubWorld) -> None:
    rows = [*people(world.folder, 1), ("1.png", "E-9", "S-9")]
    with open_desk(world.context()) as desk:
        publish(world, desk, rows)
        record = desk.lists.get("wanted")
        desk.issue(record, Revocation(world.now, entries=["E-9"]), world.now)
        ((digest, _),) = desk.lists.photographs(record.id, "E-1")
        assert desk.ledger.picture(digest) is not None


def test_a_better_photograph_replaces_the_entry(world: HubWorld) -> None:
    rows = people(world.folder, 1, 2)
    reader = Reader(world)
    with open_desk(world.context()) as desk:
        publish(world, desk, rows)
        save_portrait(world.folder / "new.png", 7)
        facts, _ = publish(world, desk, [("new.png", "E-2", "S-2")], whole=False)
        assert (facts.added, facts.replaced) == (0, 1)
        record = desk.lists.get("wanted")
        assert [path for _, path in desk.lists.photographs(record.id, "E-2")] == [
            str(world.folder / "new.png")
        ]
        assert len(desk.ledger.database.read("SELECT 1 FROM photograph")) == 2
    assert entries(reader.read(record.id)) == {"E-1", "E-2"}


@pytest.mark.slow
def test_the_shipped_networks_from_the_command_line(
    world: HubWorld, models_dir: Path, footage: Path
) -> None:
    """Folders of subjects, two processes, one photograph without a face, one with five, and one
    upside down.
    """
    photos = world.folder / "people"
    shown = {
        "S-1": "single_face.jpg",
        "S-2": "0-f1-su-ph.jpg",
        "S-3": "multi_face.jpg",
        "S-4": "free-mountain-vector-01.jpg",
    }
    for subject, name in shown.items():
        (photos / subject).mkdir(parents=True)
        (photos / subject / name).write_bytes((footage / name).read_bytes())
    (photos / "S-5").mkdir()
    on_its_head = cv2.rotate(cv2.imread(str(footage / "0-f1-su-ph.jpg")), cv2.ROTATE_180)
    cv2.imwrite(str(photos / "S-5" / "turned.png"), on_its_head)
    words = ("publish", "wanted", "--photos", photos, "--models-dir", models_dir, "--workers", "2")
    grounds = (
        "--basis",
        "consent",
        "--purpose",
        "test",
        "--authorisation",
        "T",
        "--not-after",
        END,
    )
    refused = world(*words, *grounds, "--strict", "--json")
    assert refused.code == 65
    assert not refused.json["published"]
    said = world(*words, *grounds, "--json")
    assert said.code == 0
    assert said.json["entries"] == 2
    assert said.json["photographs"]["made_now"] == 0  # the strict run judged them
    assert said.json["rejected"] == {"several_faces": 1, "no_face": 1, "not_upright": 1}
    assert "NOT on the list: 3 photographs (1 no face, 1 not upright, 1 several faces)" in said.err
