"""What the agency allows: policies and authorisations; local configuration only tightens them."""

from agent.policy.field_test import FIELD_TEST
from agent.policy.limits import Limits, combine
from agent.policy.rulebook import Breach, Circumstances, Permit, Rulebook
from agent.policy.values import Policy

__all__ = [
    "FIELD_TEST",
    "Breach",
    "Circumstances",
    "Limits",
    "Permit",
    "Policy",
    "Rulebook",
    "combine",
]
