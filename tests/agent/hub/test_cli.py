from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import DataError, MissingFileError, RefusedError, UsageError
from agent.hub.cli import COMMANDS, main
from agent.hub.hub import open_hub
from tests.support.hubs import DAY_S, OFFLINE_WORDS, WORDS, HubWorld, secret

MINE = ("init", "keys", "rotate", "refresh", "mirror", "devices", "lists", "status")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    "words",
    [
        (),
        *((name,) for name in MINE),
        ("keys", "list"),
        ("keys", "rotate"),
        *(("devices", one) for one in ("token", "add", "assign", "list", "show")),
        *(("devices", one) for one in ("remove", "release", "accept-older")),
    ],
)
def test_every_help_has_examples(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code, out, err = said(capsys, *words, "--help")
    assert (code, err) == (0, "")
    assert f"  bodycam-hub {words[0] if words else 'init'}" in out.partition("examples:")[2]


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "--help")
    assert all(re.search(rf"^    {name} ", out, re.MULTILINE) for name in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "--version")
    assert code == 0
    assert re.fullmatch(r"bodycam-hub \d+\.\d+\.\d+\n", out)


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("stauts",), 64, "no such command: stauts; did you mean status?"),
        (("keys",), 64, "the following arguments are required: ACTION"),
        (("keys", "rotate", "roots"), 64, "no such role: roots; roles are"),
        (("init", "--agency", "no spaces please"), 64, "letters, digits"),
        (("init", "--agency", "x", "--root-keys", "1"), 64, "threshold"),
        (("init", "--agency", "x", "--expires", "root=x"), 64, "ROLE=DAYS"),
        (("init", "--agency", "x", "--url", "ftp://nonsense"), 64, "write https://HOST/PATH"),
        (("init", "--agency", "x", "--offline-dir", "/no-stick/keys"), 66, "no folder /no-stick"),
        (("status", "--passphrase-file", "/nowhere/words"), 66, "no hub here"),
        (("devices", "list"), 66, "run `bodycam-hub init`"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
    line: str,
) -> None:
    found, out, err = said(capsys, *words, "--state-dir", str(tmp_path / "hub"))
    assert (found, out) == (code, "")
    assert err.startswith("bodycam-hub: ")
    assert err.count("\n") == 1
    assert line in err
    assert not (tmp_path / "hub").exists()


@pytest.mark.slow
def test_as_a_program_of_its_own_without_a_terminal(tmp_path: Path) -> None:
    """Nothing to ask for a passphrase: one line, and no half-made hub that stands in the way."""
    program = "import sys; from agent.hub.cli import main; sys.exit(main())"
    words = ["init", "--agency", "x", "--state-dir", str(tmp_path / "hub")]
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (64, "")
    assert "give --passphrase-file FILE" in done.stderr
    world = HubWorld(tmp_path)
    world.init()
    assert world.client().look() == {}


def test_init_says_the_fingerprint_in_groups_that_can_be_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = HubWorld(tmp_path, capsys)
    lines = [line.strip() for line in world.init().out.splitlines()]
    groups = [line for line in lines if re.fullmatch(r"([0-9a-f]{4} ){7}[0-9a-f]{4}", line)]
    digest = hashlib.sha256(world.root()).hexdigest()
    assert "".join(groups).replace(" ", "") == digest
    assert world("status", "--json").json["root"] == {"version": 1, "sha256": digest}


def test_init_puts_offline_keys_where_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = HubWorld(tmp_path, capsys)
    stick = tmp_path / "stick"
    world.init("--offline-dir", str(stick))
    assert sorted(path.name.split("-")[0] for path in stick.iterdir()) == [
        *["policy"] * 2,
        *["root"] * 3,
        "targets",
    ]
    assert not (world.state_dir / "keys/offline").exists()
    world("rotate", "root")
    stick.rename(tmp_path / "in the safe")
    with pytest.raises(MissingFileError, match=f"missing in {stick}.*name their folder with"):
        world("rotate", "root")
    world("rotate", "root", "--offline-dir", str(tmp_path / "in the safe"))


def test_a_second_person_gets_a_key_and_a_passphrase_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = HubWorld(tmp_path, capsys)
    said = world.init().err
    path = next(one for one in world.key_files("policy") if str(one) in said)
    assert "policies need 2 people: move" in said
    before = path.read_bytes()
    new = secret(tmp_path / "theirs", "words of the second person")
    short = secret(tmp_path / "short", "short")
    with pytest.raises(UsageError, match="at least 8"):
        world("keys", "passphrase", path, "--new-passphrase-file", short)
    assert path.read_bytes() == before
    world("keys", "passphrase", path, "--new-passphrase-file", new)
    policy = tmp_path / "p.yaml"
    world("policy", "preset", "strict", "--out", policy)
    with pytest.raises(RefusedError, match="none of the passphrases given opens it"):
        world("policy", "publish", policy)
    world("policy", "publish", policy, "--passphrase-file", str(new))


def test_offline_keys_do_not_open_with_the_words_of_the_hub(world: HubWorld) -> None:
    given = ("--passphrase-file", str(world.words))
    with pytest.raises(RefusedError, match="none of the passphrases given"):
        world("refresh", "targets", *given, passphrases=False)
    world("refresh", *given, passphrases=False)


def test_a_person_is_asked_for_the_words_of_each_kind_once(world: HubWorld) -> None:
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return OFFLINE_WORDS if "offline" in question else WORDS

    world.ask = ask
    world("refresh", "targets", "policy", passphrases=False)
    assert [("offline" in question) for question in asked] == [True, False]


def test_new_offline_keys_are_not_put_where_no_stick_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = HubWorld(tmp_path, capsys)
    stick = tmp_path / "stick"
    world.init("--offline-dir", str(stick))
    stick.rename(tmp_path / "away")
    with pytest.raises(MissingFileError, match=r"there is no folder .*mount what it is on"):
        world(
            *("rotate", "policy", "--lost", "--offline-passphrase-file", world.offline_words),
            *("--offline-dir", stick, "--offline-dir", tmp_path / "away"),
        )
    assert not stick.exists()


def test_without_a_terminal_every_command_says_so_alike(world: HubWorld) -> None:
    for words in (("refresh",), ("lists",), ("rotate", "root"), ("rotate", "lists")):
        with pytest.raises(UsageError, match="no terminal to ask for its passphrase"):
            world(*words, passphrases=False)


def test_init_twice_is_refused(world: HubWorld) -> None:
    before = world.files()
    with pytest.raises(UsageError, match="there is a hub already"):
        world.init()
    assert world.files() == before


def test_a_hub_of_a_killed_init_is_begun_again(world: HubWorld) -> None:
    with closing(world.open()) as hub, hub.database.transaction() as db:
        db.execute("DELETE FROM setting WHERE key = 'agency'")
    with pytest.raises(MissingFileError, match="no hub here"):
        world("status")
    world.init()
    assert world("status", "--json").json["problem"] is None


def test_the_folder_of_the_hub_is_private(tmp_path: Path) -> None:
    world = HubWorld(tmp_path)
    world.init()
    for path in (world.state_dir, world.state_dir / "keys", world.state_dir / "keys/offline"):
        assert path.stat().st_mode & 0o777 == 0o700
    assert (world.state_dir / "hub.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_database_that_others_may_read_is_refused(world: HubWorld) -> None:
    (world.state_dir / "hub.sqlite").chmod(0o644)
    with pytest.raises(RefusedError, match="chmod 600"):
        world("status")


def test_a_damaged_database_is_one_line(world: HubWorld) -> None:
    for path in world.state_dir.glob("hub.sqlite*"):
        path.write_bytes(b"not a database, but long enough to be taken for the head of one" * 40)
    with pytest.raises(DataError, match=r"hub\.sqlite: .*restore a copy"):
        world("status")


def test_status_says_what_expires_when(world: HubWorld) -> None:
    status = world("status", "--json").json
    left = {role: one["days_left"] for role, one in status["roles"].items()}
    assert left == {
        "root": 365.0,
        "targets": 90.0,
        "policy": 90.0,
        "authorisations": 30.0,
        "lists": 30.0,
        "commands": 30.0,
        "snapshot": 7.0,
        "timestamp": 1.0,
    }
    assert status["roles"]["root"]["threshold"] == 2
    assert status["problem"] is None
    assert status["lists"] == status["devices"] == status["authorisations"] == []
    assert (status["policy"], status["forked"]) == (None, [])
    assert "no policy is published" in world("status").out


def test_status_says_what_expires_soon(world: HubWorld) -> None:
    world.clock.advance(25 * DAY_S)
    world("refresh")
    roles = world("status", "--json").json["roles"]
    assert [role for role, one in roles.items() if one["soon"]] == [
        "authorisations",
        "lists",
        "commands",
    ]
    assert "lists           version 1    5.0 days left SOON" in world("status").out


def test_status_names_lists_and_devices(world: HubWorld) -> None:
    world.camera("CAM-1")
    envelopes = {
        "list": "L-1",
        "version": 3,
        "manifest": "0" * 64,
        "envelopes": [],
    }
    world.publish({"lists/L-1.envelopes": json.dumps(envelopes).encode()})
    status = world("status", "--json").json
    assert status["lists"] == [{"list": "L-1", "name": None, "version": 3, "devices": 0}]
    assert status["devices"] == [{"name": "CAM-1", "unlock": "hub"}]
    assert "list L-1 version 3" in world("status").out


def test_status_finds_what_a_device_would_refuse(world: HubWorld) -> None:
    world.publish({"lists/a.shard": b"shard"})
    (path,) = world.public.rglob("*.a.shard")
    path.write_bytes(b"other")
    answer = world("status", "--json")
    assert answer.code == 65
    assert "does not verify" in answer.json["problem"]
    path.unlink()
    assert "is published and gone: restore it" in world("status", "--json").json["problem"]
    (world.public / "metadata/timestamp.json").unlink()
    answer = world("status")
    assert answer.code == 65
    assert "timestamp.json is missing" in answer.out


def test_status_finds_what_has_expired(world: HubWorld) -> None:
    world.clock.wall_now -= 2 * DAY_S
    world("refresh")
    answer = world("status")
    assert answer.code == 65
    assert "expired" in answer.out.lower()
    world.clock.wall_now += 2 * DAY_S
    assert world("status", "--json").json["roles"]["timestamp"]["days_left"] == -1.0
    assert "EXPIRED" in world("status").out


def test_refresh_moves_the_expiry_of_what_is_named(world: HubWorld) -> None:
    world.clock.advance(3600)
    before = world("status", "--json").json["roles"]
    world("refresh", "lists", "root")
    after = world("status", "--json").json["roles"]
    moved = {role for role in before if before[role]["expires"] < after[role]["expires"]}
    assert moved == {"lists", "root", "snapshot", "timestamp"}


def test_refresh_may_change_how_long_signatures_are_good_for(world: HubWorld) -> None:
    world("refresh", "lists", "--expires", "lists=14")
    assert world("status", "--json").json["roles"]["lists"]["days_left"] == 14.0
    with closing(open_hub(world.context())) as hub:
        assert hub.repository.periods.days["lists"] == 14.0
        assert hub.repository.periods.days["commands"] == 30.0


def test_keys_are_listed_with_their_files(world: HubWorld) -> None:
    (lists,) = world.key_files("lists")
    assert str(lists) in world("keys", "list").out
    lists.unlink()
    assert f"not here: {lists.name}" in world("keys", "list").out
    assert world("keys", "list", "--json").json["lists"]["keys"][0]["file"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--hours", "0"), "--hours"),
        (("--hours", "1000"), "--hours"),
        (("--url", "ftp://x"), "url"),
    ],
)
def test_tokens_that_make_no_sense(world: HubWorld, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        world("devices", "token", "CAM-7", "--out", world.folder / "f", *words)
    with pytest.raises(UsageError, match="device"):
        world("devices", "token", "no spaces", "--out", world.folder / "f")
    assert not (world.folder / "f").exists()
