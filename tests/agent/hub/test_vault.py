from __future__ import annotations

import pytest

from agent.errors import DataError, MissingFileError, RefusedError
from agent.hub.desk import open_desk
from agent.hub.vault import Vault
from tests.support.hub_lists import Roll, publish
from tests.support.hubs import HubWorld


def test_what_is_locked_opens_with_the_same_key_and_name_alone() -> None:
    vault = Vault(b"k" * 32)
    blob = vault.lock(b"a template", "template/1")
    assert vault.unlock(blob, "template/1") == b"a template"
    for other, about in ((Vault(b"x" * 32), "template/1"), (vault, "template/2")):
        with pytest.raises(DataError):
            other.unlock(blob, about)
    assert "kkk" not in repr(vault)


def test_the_key_is_made_with_the_hub_and_is_asked_for_once(world: HubWorld) -> None:
    """At a terminal: one passphrase opens the data key and the keys that sign."""
    publish(world, Roll([1]))
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return "the words of the hub"

    world.ask = ask
    world("publish", "wanted", "--json", passphrases=False)
    assert len(asked) == 1
    assert "data.pem" in asked[0]


def test_without_the_passphrase_nothing_opens(world: HubWorld) -> None:
    publish(world, Roll([1]))
    world.words.write_text("other words than those\n")
    with pytest.raises(RefusedError, match="none of the passphrases given opens it"):
        publish(world)


def test_a_lost_key_is_not_made_anew_over_what_it_locked(world: HubWorld) -> None:
    publish(world, Roll([1]))
    (world.state_dir / "keys" / "data.pem").unlink()
    with pytest.raises(MissingFileError, match="the key of the hub's lists is gone"):
        publish(world)


def test_others_may_not_read_the_lists(world: HubWorld) -> None:
    publish(world, Roll([1]))
    (world.state_dir / "lists.sqlite").chmod(0o644)
    with (
        pytest.raises(RefusedError, match=r"lists\.sqlite: others may read it"),
        open_desk(world.context()),
    ):
        pass
