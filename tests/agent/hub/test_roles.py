from __future__ import annotations

import pytest
from securesystemslib.signer import CryptoSigner, SSlibKey

from agent.errors import RefusedError, UsageError
from agent.hub.roles import (
    DELEGATED,
    OFFLINE,
    ROLES,
    Periods,
    RoleKeys,
    check_apart,
    default_keys,
    known_role,
)


def a_key(keyid: str | None = None) -> SSlibKey:
    return CryptoSigner.generate_ed25519(keyid).public_key


def test_root_targets_and_policy_are_for_offline_use() -> None:
    assert sorted(OFFLINE) == ["policy", "root", "targets"]
    assert set(DELEGATED) | {"root", "targets", "snapshot", "timestamp"} == set(ROLES)


def test_policy_needs_two_of_two_and_root_what_was_asked_for() -> None:
    keys = default_keys(RoleKeys(5, 3))
    assert keys["policy"] == RoleKeys(2, 2)
    assert keys["root"] == RoleKeys(5, 3)
    assert keys["lists"] == RoleKeys(1, 1)


def test_keys_of_their_own() -> None:
    check_apart({"lists": [a_key()], "commands": [a_key(), a_key()]})


def test_a_key_in_two_roles() -> None:
    key = a_key()
    with pytest.raises(RefusedError, match="serves lists and commands"):
        check_apart({"lists": [key], "commands": [a_key(), key]})


def test_a_key_under_two_ids() -> None:
    key = a_key("one")
    other = SSlibKey("two", key.keytype, key.scheme, key.keyval)
    with pytest.raises(RefusedError, match="serves lists and lists"):
        check_apart({"lists": [key, other]})


@pytest.mark.parametrize(("keys", "threshold"), [(1, 2), (3, 0), (0, 0), (17, 1)])
def test_thresholds_that_cannot_be_met(keys: int, threshold: int) -> None:
    with pytest.raises(UsageError, match="threshold"):
        RoleKeys(keys, threshold)


def test_periods_are_counted_from_now() -> None:
    periods = Periods().changed(["lists=14", "timestamp=0.5"])
    assert periods.end("lists", 1000.0) == 1000.0 + 14 * 86_400
    assert periods.end("timestamp", 0.0) == 43_200
    assert periods.end("root", 0.0) == 365 * 86_400


@pytest.mark.parametrize("change", ["lists", "lists=", "lists=never", "lists=0", "lists=nan"])
def test_periods_that_are_none(change: str) -> None:
    with pytest.raises(UsageError, match=f"--expires {change}: write ROLE=DAYS"):
        Periods().changed([change])


def test_no_such_role() -> None:
    with pytest.raises(UsageError, match="no such role: list; roles are root,"):
        known_role("list")
