from __future__ import annotations

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

from agent.app import Context
from agent.cli import evaluate
from agent.cli.parser import Parser
from agent.errors import DataError, DiskError, MissingFileError, UsageError
from tests.support.painted import PaintedDetector, PaintedEmbedder, save_painted

# Greys are half degrees: similarity is the cosine of half their difference.
GREYS = {
    ("Ann", 1): 40,
    ("Ann", 2): 60,
    ("Bob", 1): 160,
    ("Bob", 2): 160,
    ("Cay", 1): 250,
    ("Cay", 2): 0,
}
PAIRS = "3\nAnn 1 2\nBob 1 2\nCay 1 2\nAnn 1 Bob 1\nBob 2 Cay 1\nAnn 2 Cay 1\n"
FOLDS = (
    "2 1\nAnn 1 2\nAnn 1 Bob 1\n"
    "Bob 1 2\nBob 2 Cay 1\n"
)  # fmt: skip


class PaintedContext(Context):
    """A context whose networks see what a test painted; says which configuration made them."""

    made: list[Context] = []  # noqa: RUF012 - one list for a context and those derived from it

    def models(self):
        self.made.append(self)
        return SimpleNamespace(detector=PaintedDetector(), embedder=PaintedEmbedder())


@pytest.fixture(autouse=True)
def made(monkeypatch):
    contexts = []
    monkeypatch.setattr(PaintedContext, "made", contexts)
    return contexts


@pytest.fixture
def lfw(tmp_path):
    for (name, number), grey in GREYS.items():
        ending = "png" if name == "Bob" else "jpg"
        save_painted(tmp_path / "lfw" / name / f"{name}_{number:04d}.{ending}", grey)
    (tmp_path / "pairs.txt").write_text(PAIRS, encoding="utf-8")
    (tmp_path / "folds.txt").write_text(FOLDS, encoding="utf-8")
    return tmp_path


def call(*words):
    parser = Parser(prog="bodycam-agent")
    evaluate.register(parser.add_subparsers(dest="command"))
    args = parser.parse_args(["evaluate", *map(str, words)])
    context = PaintedContext(args.images, json=getattr(args, "json", False))
    return evaluate.run(args, context)


def verification(folder, *words, pairs="pairs.txt"):
    images = ("--images", folder / "lfw", "--pairs", folder / pairs)
    return call("verification", *images, *words, "--json")


def answer(capsys):
    return json.loads(capsys.readouterr().out)


def cosine(a, b):
    return np.cos(np.deg2rad((a - b) / 2))


def test_verification_with_a_fixed_threshold(lfw, capsys):
    assert verification(lfw, "--threshold", "0.5") == 0
    found = answer(capsys)
    # One person: 0.98, 1.00, failed. Two: 0.50 (60 degrees), 0.71 (45), and under 0.
    assert found == {
        "pairs": 6,
        "failed_to_acquire": 1,
        "accuracy_mean": pytest.approx(3 / 6),
        "accuracy_std": 0.0,
        "threshold": 0.5,
        "eer": pytest.approx(1 / 3),
        "tar_at_far": {"0.01": pytest.approx(2 / 3), "0.001": pytest.approx(2 / 3)},
    }


def test_a_list_without_folds_says_that_it_chose_on_itself(lfw, capsys):
    verification(lfw)
    out, err = capsys.readouterr()
    best = (cosine(40, 60) + cosine(160, 250)) / 2
    assert json.loads(out)["threshold"] == pytest.approx(best, abs=1e-4)
    assert json.loads(out)["accuracy_mean"] == pytest.approx(5 / 6)
    assert "chosen on" in err
    assert "flatters" in err


def test_the_threshold_may_come_from_another_list(lfw, capsys):
    verification(lfw, "--threshold-from", lfw / "folds.txt")
    out, err = capsys.readouterr()
    assert json.loads(out)["accuracy_mean"] == pytest.approx(5 / 6)
    assert "flatters" not in err


def test_folds_of_the_list_itself(lfw, capsys):
    verification(lfw, pairs="folds.txt")
    own = answer(capsys)
    verification(lfw, "--folds", "2", pairs="folds.txt")
    assert answer(capsys) == own
    each = [(cosine(40, 60) + cosine(40, 160)) / 2, (1 + cosine(160, 250)) / 2]
    assert own["threshold"] == pytest.approx(np.mean(each), abs=1e-4)
    assert own["accuracy_mean"] == 1.0


def test_a_list_without_folds_can_be_dealt_into_some(lfw, capsys):
    verification(lfw, "--folds", "3")
    out, err = capsys.readouterr()
    assert json.loads(out)["accuracy_std"] == pytest.approx(np.std([1, 1, 0.5], ddof=1))
    assert "flatters" not in err


def test_raw_scores(lfw, capsys):
    scores = lfw / "scores.csv"
    verification(lfw, "--threshold", "0.5", "--scores", scores)
    rows = list(csv.DictReader(scores.read_text(encoding="utf-8").splitlines()))
    assert [row["same"] for row in rows] == list("111000")
    assert rows[0]["left"] == "Ann/Ann_0001"
    assert rows[0]["right"] == "Ann/Ann_0002"
    assert [float(row["score"]) for row in rows] == pytest.approx(
        [cosine(40, 60), 1, -1, cosine(40, 160), cosine(160, 250), cosine(60, 250)], abs=1e-4
    )
    assert {row["fold"] for row in rows} == {"0"}


def test_the_table_for_people_has_every_figure(lfw, capsys):
    images = ("--images", lfw / "lfw", "--pairs", lfw / "pairs.txt")
    call("verification", *images, "--threshold", "0.5")
    shown = capsys.readouterr().out
    for figure in ("0.5000", "0.3333", "0.6667", "95 %"):
        assert figure in shown


def test_precision_reaches_the_configuration(lfw, made):
    verification(lfw, "--threshold", "0.5", "--precision", "fp32")
    assert [context.config.models.precision for context in made] == ["fp32"]


def test_a_missing_picture_is_named(lfw):
    (lfw / "lfw" / "Ann" / "Ann_0002.jpg").unlink()
    with pytest.raises(MissingFileError, match=r"Ann/Ann_0002\.jpg: no such picture$"):
        verification(lfw)
    (lfw / "lfw" / "Bob" / "Bob_0001.png").unlink()
    with pytest.raises(MissingFileError, match=r"Ann_0002\.jpg: no such picture \(and 1 more\)"):
        verification(lfw)


def test_a_damaged_picture_is_named(lfw):
    (lfw / "lfw" / "Ann" / "Ann_0002.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"Ann_0002\.jpg: the file is empty"):
        verification(lfw)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (("--threshold", "1.5"), UsageError, "must be over -1 and at most 1"),
        (("--threshold", "nan"), UsageError, "must be over -1 and at most 1"),
        (("--threshold", "0.5", "--folds", "2"), UsageError, "not allowed with"),
        (("--folds", "1"), UsageError, "must be from 2 to the 3 pairs"),
        (("--folds", "4"), UsageError, "must be from 2 to the 3 pairs"),
        (("--scores", "no/such/folder/x.csv"), DiskError, "cannot be written"),
        (("--threshold-from", "no-such.txt"), MissingFileError, "no-such.txt: no such file"),
        (("--images", "no-such-folder"), MissingFileError, "no such folder of pictures"),
    ],
)
def test_bad_options(lfw, made, words, error, message):
    with pytest.raises(error, match=message):
        verification(lfw, *words)
    assert made == []  # found out before the networks are loaded


def test_folds_that_are_not_those_of_the_list(lfw):
    with pytest.raises(UsageError, match="has 2 folds of its own"):
        verification(lfw, "--folds", "3", pairs="folds.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfe\x00", "not UTF-8"), (b"x\n", "line 1"), (b"", "empty")],
)
def test_bad_lists(lfw, content, message):
    (lfw / "bad.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        verification(lfw, pairs="bad.txt")


def test_a_folder_is_no_list(lfw):
    with pytest.raises(DataError, match="is a folder"):
        verification(lfw, pairs="lfw")


@pytest.fixture
def wider(tmp_path):
    for name, grey in (("a", 90), ("b", 0), ("c", 90)):
        save_painted(tmp_path / "faces" / "0--Parade" / f"{name}.png", grey)
    tail = "0 0 0 0 0 0"
    (tmp_path / "truth.txt").write_text(
        f"0--Parade/a.png\n2\n30 30 60 80 {tail}\n0 0 5 9 {tail}\n"
        f"0--Parade/b.png\n1\n30 30 60 80 {tail}\n"
        f"0--Parade/c.png\n0\n0 0 0 0 {tail}\n",
        encoding="utf-8",
    )
    return tmp_path


def detection(folder, *words):
    return call("detection", "--images", folder / "faces", "--truth", folder / "truth.txt", *words)


def test_detection(wider, capsys, made):
    assert detection(wider, "--json") == 0
    found = answer(capsys)
    assert found.pop("ms_per_image") > 0
    assert found == {
        "images": 3,
        "faces": 3,
        "ap": pytest.approx(1 / 3),
        "ap_by_height": {"<16": 0.0, "16-32": None, "32-64": None, ">=64": 0.5},
        "recall_under_16": 0.0,
    }
    assert made[0].config.detection.score == 0.02


def test_detection_table(wider, capsys):
    detection(wider)
    shown = capsys.readouterr().out
    assert "0.3333" in shown
    assert "no such face" in shown


def test_a_picture_missing_from_the_truth_is_named(wider):
    (wider / "faces" / "0--Parade" / "b.png").unlink()
    with pytest.raises(MissingFileError, match=r"0--Parade/b\.png: no such picture"):
        detection(wider)
