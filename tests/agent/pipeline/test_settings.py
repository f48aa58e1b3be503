import pytest

from agent.config import DecisionConfig, parse
from agent.errors import RefusedError
from agent.pipeline import PipelineSettings, decision_rule
from agent.policy import FIELD_TEST, combine
from agent.stages.decide import DecisionRule

CURVE = ((0.363, 1e-3), (0.668, 1e-7))


def test_the_rule_comes_from_policy_curve_and_list() -> None:
    limits = combine(FIELD_TEST, DecisionConfig())
    assert decision_rule(limits, CURVE, 10_000) == DecisionRule(3, pytest.approx(0.668), 0.05)
    assert decision_rule(limits, CURVE, 1) == DecisionRule(3, 0.40, 0.05)


def test_a_stricter_local_threshold_counts_and_a_looser_does_not() -> None:
    strict = combine(FIELD_TEST, DecisionConfig(threshold=0.8, min_shots=5, margin=0.2))
    assert decision_rule(strict, CURVE, 10_000) == DecisionRule(5, 0.8, 0.2)
    loose = combine(FIELD_TEST, DecisionConfig(threshold=0.1, min_shots=1, margin=0.0))
    assert decision_rule(loose, CURVE, 1) == DecisionRule(2, 0.40, 0.05)


def test_a_list_beyond_the_policy_is_refused() -> None:
    with pytest.raises(RefusedError, match="the policy allows 1000000"):
        decision_rule(combine(FIELD_TEST, DecisionConfig()), CURVE, 1_000_001)


def test_settings_follow_the_configuration() -> None:
    config = parse(None, ("tracking.lost_s=1.5", "recognition.max_shots=5"))
    settings = PipelineSettings.of(config)
    assert settings.tracker.rules.lost_s == 1.5
    assert settings.shots.rates.max_shots == 5
    assert settings.detection == config.detection
