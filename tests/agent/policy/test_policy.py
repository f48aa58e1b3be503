"""The built-in policy and what local settings can do to it."""

import hashlib
import json
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import DecisionConfig
from agent.errors import RefusedError
from agent.policy import FIELD_TEST, combine


def test_field_tests_are_marked_and_bounded() -> None:
    assert (FIELD_TEST.name, FIELD_TEST.test) == ("field-test", True)
    assert (FIELD_TEST.floor, FIELD_TEST.target_fpir) == (0.40, 0.001)
    assert (FIELD_TEST.extrapolate, FIELD_TEST.max_templates) == (True, 1_000_000)


def test_the_canonical_text_is_sorted_compact_json_of_every_field() -> None:
    text = FIELD_TEST.canonical_json()
    tree = json.loads(text)
    assert set(tree) == {item.name for item in fields(FIELD_TEST)}
    assert text == json.dumps(tree, sort_keys=True, separators=(",", ":"))
    assert FIELD_TEST.sha256() == hashlib.sha256(text.encode()).hexdigest()


def test_any_change_changes_the_hash() -> None:
    hashes = {
        FIELD_TEST.sha256(),
        replace(FIELD_TEST, floor=0.41).sha256(),
        replace(FIELD_TEST, version=2).sha256(),
        replace(FIELD_TEST, bases=("consent", "warrant")).sha256(),
    }
    assert len(hashes) == 4


def test_entries_need_an_allowed_basis_and_purpose() -> None:
    FIELD_TEST.check_entry(basis="consent", purpose="test")
    with pytest.raises(RefusedError, match=r"basis 'warrant' is not allowed.*use one of consent"):
        FIELD_TEST.check_entry(basis="warrant", purpose="test")
    with pytest.raises(RefusedError, match="purpose 'patrol' is not allowed"):
        FIELD_TEST.check_entry(basis="consent", purpose="patrol")


@pytest.mark.parametrize("seconds", [0, -1, 12 * 3600 + 1, float("nan")])
def test_authorisations_are_bounded(seconds: float) -> None:
    FIELD_TEST.check_authorisation(seconds=12 * 3600)
    with pytest.raises(RefusedError, match="at most 43200 s"):
        FIELD_TEST.check_authorisation(seconds=seconds)


@settings(max_examples=50, deadline=None)
@given(
    st.builds(
        DecisionConfig,
        min_shots=st.integers(1, 50),
        threshold=st.floats(0, 1),
        margin=st.floats(0, 1),
        cooldown_s=st.floats(1, 86400),
    )
)
def test_local_settings_can_only_tighten(local: DecisionConfig) -> None:
    limits = combine(FIELD_TEST, local)
    assert limits.floor == max(0.40, local.threshold)
    assert limits.min_shots == max(FIELD_TEST.min_shots, local.min_shots)
    assert limits.margin == max(FIELD_TEST.min_margin, local.margin)
    assert limits.cooldown_s == max(FIELD_TEST.min_cooldown_s, local.cooldown_s)
    assert (limits.target_fpir, limits.test) == (FIELD_TEST.target_fpir, True)


def test_a_list_longer_than_the_policy_allows_is_refused() -> None:
    limits = combine(FIELD_TEST, DecisionConfig())
    limits.check_list(1_000_000)
    with pytest.raises(RefusedError, match="1000001 templates, the policy allows 1000000"):
        limits.check_list(1_000_001)
