"""What the agency allows: policies, and how local configuration may tighten them."""

from agent.policy.field_test import FIELD_TEST
from agent.policy.limits import Limits, combine
from agent.policy.values import Policy

__all__ = ["FIELD_TEST", "Limits", "Policy", "combine"]
