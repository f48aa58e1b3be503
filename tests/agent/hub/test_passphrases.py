from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.errors import DataError, MissingFileError, RefusedError, UsageError
from agent.hub.passphrases import Passphrases
from agent.hub.progress import Progress, bars
from tests.support.hub_lists import Roll, publish
from tests.support.hubs import WORDS, HubWorld, secret

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = secret(tmp_path / "words", "long enough")
    path.chmod(0o644)
    with pytest.raises(RefusedError, match=f"chmod 600 {path}"):
        Passphrases([path], ask=None)


def test_credentials_of_the_service_manager_are_taken_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    path = secret(folder / "words", "long enough")
    path.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "of another service"))
    with pytest.raises(RefusedError, match="chmod 600"):
        Passphrases([path], ask=None)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert Passphrases([path], ask=None).choose(offline=False) == "long enough"


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"\xff\xfe\n"])
def test_a_file_that_holds_no_passphrase(tmp_path: Path, content: bytes) -> None:
    path = secret(tmp_path / "words", "")
    path.write_bytes(content)
    error = DataError if content.strip() else UsageError
    with pytest.raises(error, match="passphrase"):
        Passphrases([path], ask=None)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="words: no such file"):
        Passphrases([tmp_path / "words"], ask=None)


def test_spaces_belong_to_the_passphrase(tmp_path: Path) -> None:
    words = Passphrases([secret(tmp_path / "words", " with spaces ")], ask=None)
    assert words.choose(offline=False) == " with spaces "


def test_new_offline_keys_have_their_own(tmp_path: Path) -> None:
    hub, safe = secret(tmp_path / "hub", "of the hub"), secret(tmp_path / "safe", "of the safe")
    words = Passphrases([hub], offline_file=safe, ask=None)
    assert words.choose(offline=True) == "of the safe"
    assert words.choose(offline=False) == "of the hub"


def test_a_person_is_asked_twice_for_each_kind_and_then_no_more() -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return "long enough"

    words = Passphrases(ask=ask)
    for offline in (True, True, False, False):
        words.choose(offline=offline)
    assert asked == [
        "Passphrase for new offline keys: ",
        "Once more: ",
        "Passphrase for new keys of the hub: ",
        "Once more: ",
    ]


def test_a_person_who_types_two_different_ones() -> None:
    answers = iter(["long enough", "long enuogh"])
    with pytest.raises(UsageError, match="differ"):
        Passphrases(ask=lambda _: next(answers)).choose(offline=True)


def test_a_short_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 8"):
        Passphrases([secret(tmp_path / "words", "1234567")], ask=None).choose(offline=True)


def test_without_a_terminal_there_is_nobody_to_ask() -> None:
    with pytest.raises(UsageError, match="--passphrase-file"):
        Passphrases(ask=None).choose(offline=True)
    with pytest.raises(UsageError, match="--passphrase-file"):
        next(Passphrases(ask=None).attempts("key.pem"))


def test_a_person_is_told_that_a_passphrase_was_wrong() -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return "not the words"

    attempts = Passphrases(ask=ask).attempts("key.pem")
    next(attempts)
    next(attempts)
    assert asked == [
        "Passphrase of key.pem: ",
        "That passphrase is wrong. Passphrase of key.pem: ",
    ]


@pytest.mark.parametrize(
    "words", [("publish", "wanted"), ("revoke", "wanted", "--entry", "E-1"), ("report", "wanted")]
)
def test_passphrases_are_asked_for_before_progress_is_shown(
    world: HubWorld, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    publish(world, Roll([1, 2]))
    seen: list[str] = []

    @contextmanager
    def watched() -> Iterator[Progress]:
        yield lambda *_: seen.append("progress")

    def ask(_: str) -> str:
        seen.append("question")
        return WORDS

    for command in ("publish", "revoke"):
        monkeypatch.setattr(f"agent.hub.commands.{command}.bars", watched)
    world.ask = ask
    more = ("--rekey",) if words[0] == "publish" else ()
    world(*words, *more, passphrases=False)
    assert seen[0] == "question"
    assert "question" not in "".join(seen).partition("progress")[2]
    assert ("progress" in seen) == (words[0] != "report")


def test_nothing_is_drawn_before_there_is_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with bars() as progress:
        assert terminal.getvalue() == ""
        progress("encrypting shards", 1, 2)
    assert "encrypting shards" in terminal.getvalue()


def test_an_answer_goes_where_it_belongs_while_progress_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in `bodycam-hub publish wanted --json > answer.json` at a terminal."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with bars() as progress:
        for done in (1, 2):
            progress("reading photographs", done, 2)
        progress("encrypting shards", 1, 1)
        print("the answer")
        drawn = terminal.getvalue()
    assert capsys.readouterr().out == "the answer\n"
    assert "encrypting shards" in drawn
    assert drawn.rindex(SHOW_CURSOR) > drawn.rindex(HIDE_CURSOR)
