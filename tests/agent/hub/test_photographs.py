from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.hub.photo_ledger import UNUSED_S, forget_unused
from agent.hub.photographs import by_reason, rejection_rows
from agent.watchlist.enrolment import EnrolmentLimits
from tests.support.hub_photos import (
    LOOKS,
    NOW,
    CountingDetector,
    PhotoWorld,
    PowerCut,
    a_maker,
    fatal_models,
    portrait_models,
)
from tests.support.portraits import save_portrait, template


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PhotoWorld]:
    made = PhotoWorld(tmp_path)
    yield made
    made.database.close()


def test_photographs_become_entries(world: PhotoWorld) -> None:
    done = world.run(world.photograph(1, 1), world.photograph(2, 2))
    assert done.columns is not None
    assert done.columns.entry.tolist() == [b"E-1", b"E-2"]
    assert done.columns.vectors == pytest.approx(np.stack([template(1), template(2)]), abs=1e-6)
    assert [one.entry for one in done.accepted] == ["E-1", "E-2"]
    assert done.columns.source[0].tobytes().hex() == done.accepted[0].sha256
    assert (done.rejected, done.without, done.embedded) == ((), (), 2)


def test_every_refused_photograph_has_its_reason(world: PhotoWorld) -> None:
    nobody, crowd, dark, torn, missing = (world.photograph(at, at) for at in range(11, 16))
    save_portrait(nobody.path)
    save_portrait(crowd.path, 1, 2)
    save_portrait(dark.path, 13, light=0.1)
    torn.path.write_bytes(torn.path.read_bytes()[:500])
    missing.path.unlink()
    done = world.run(world.photograph(1, 1), nobody, crowd, dark, torn, missing)
    reasons = [(one.entry, one.why[0].problem) for one in done.rejected]
    assert reasons == [
        ("E-11", "no_face"),
        ("E-12", "several_faces"),
        ("E-13", "too_dark"),
        ("E-14", "unreadable"),
        ("E-15", "unreadable"),
    ]
    assert by_reason(done.rejected)["unreadable"] == 2
    assert done.without == ("E-11", "E-12", "E-13", "E-14", "E-15")
    rows = list(rejection_rows(done.rejected))
    assert rows[-1]["image"] == str(missing.path)
    assert "no such file" in rows[-1]["text"]


def test_a_stranger_among_the_photographs_of_a_subject_is_refused(world: PhotoWorld) -> None:
    mine = {"entry": "E-1", "subject": "S-1"}
    photos = [world.photograph(at, 1, **mine) for at in range(3)]
    for at, photo in enumerate(photos):  # three files of one face
        image = cv2.imread(str(photo.path))
        image[-1, -1] = at
        cv2.imwrite(str(photo.path), image)
    stranger = world.photograph(9, 2, **mine)
    done = world.run(*photos, stranger)
    assert [(one.image, one.why[0].problem) for one in done.rejected] == [
        (str(stranger.path), "unlike_the_others")
    ]
    assert done.columns is not None
    assert len(done.columns.owner) == 3


def test_a_photograph_is_never_embedded_twice(world: PhotoWorld) -> None:
    photos = [world.photograph(at, at) for at in range(1, 5)]
    first = world.run(*photos)
    again = world.run(*photos, world.photograph(9, 9))
    assert (first.embedded, again.embedded) == (4, 1)
    assert world.detector.looks == 5 * LOOKS
    assert first.columns is not None
    assert again.columns is not None
    assert (again.columns.vectors[:4] == first.columns.vectors).all()


def test_one_file_for_two_entries_is_embedded_once(world: PhotoWorld) -> None:
    first = world.photograph(1, 1)
    second = world.photograph(2, 1, entry="E-2", subject="S-2")
    done = world.run(first, second)
    assert done.embedded == 1
    assert [one.entry for one in done.accepted] == ["E-1", "E-2"]


def test_a_killed_run_goes_on_where_it_was(
    world: PhotoWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.hub.photographs._KEPT_EVERY", 4)
    photos = [world.photograph(at, at) for at in range(1, 21)]
    world.detector = CountingDetector(cut_at=13 * LOOKS + 1)
    with pytest.raises(PowerCut):
        world.run(*photos)
    world.detector = CountingDetector()
    done = world.run(*photos)
    assert done.columns is not None
    assert len(done.columns) == 20
    assert done.embedded == 20 - 13
    assert world.detector.looks == (20 - 13) * LOOKS


def test_other_limits_or_networks_judge_anew() -> None:
    models = portrait_models()
    names = {
        a_maker(models).recipe,
        a_maker(models, EnrolmentLimits(min_width_px=64)).recipe,
    }
    assert len(names) == 2


@pytest.mark.slow
def test_a_picture_that_kills_its_worker_costs_only_itself(world: PhotoWorld) -> None:
    photos = [world.photograph(at, at) for at in (1, 66, 2, 3)]
    done = world.run(*photos, workers=2, models=fatal_models)
    assert [(one.entry, one.why[0].problem) for one in done.rejected] == [("E-66", "unreadable")]
    assert done.columns is not None
    expected = np.stack([template(at) for at in (1, 2, 3)])
    assert done.columns.vectors == pytest.approx(expected, abs=1e-6)


def test_nothing_in_the_database_shows_a_template_or_a_face(world: PhotoWorld) -> None:
    done = world.run(world.photograph(1, 1))
    assert done.columns is not None
    digest = done.accepted[0].sha256
    picture = world.ledger.picture(digest)
    assert picture is not None
    shown = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert max(shown.shape[:2]) <= 256
    world.database.empty_log()
    held = (world.folder / "lists.sqlite").read_bytes()
    assert digest.encode() in held  # the control: what is not encrypted is found
    assert done.columns.vectors[0].tobytes()[:64] not in held
    assert picture[:64] not in held


def test_templates_on_no_list_are_forgotten_after_a_week(world: PhotoWorld) -> None:
    good, refused = world.photograph(1, 1), world.photograph(2, 2)
    save_portrait(refused.path)
    done = world.run(good, refused)
    digest = done.accepted[0].sha256
    forget_unused(world.database, NOW + UNUSED_S - 1)
    assert world.ledger.picture(digest) is not None
    forget_unused(world.database, NOW + UNUSED_S + 1)
    assert world.ledger.picture(digest) is None
    assert world.run(good, refused).embedded == 1  # why the other was refused is known
