"""The built-in policy, for tests with people who consented. It holds on a device without an agency,
and on one whose agency has never published a policy; every event under it says `test: true`.
"""

from __future__ import annotations

from agent.policy.values import Policy

FIELD_TEST_AUTHORISATION = "field-test"
"""The built-in authorisation: everybody before the camera takes part in a test and agreed to it."""

FIELD_TEST = Policy(
    name="field-test",
    version=1,
    floor=0.40,
    target_fpir=0.001,
    extrapolate=True,
    min_shots=2,
    min_margin=0.05,
    min_cooldown_s=1.0,
    test=True,
    max_templates=1_000_000,
    max_list_age_s=31 * 86400.0,
    bases=("consent",),
    purposes=("test",),
    max_authorisation_s=12 * 3600.0,
    remote_arm=False,
    evidence=True,
)
"""The floor lies above the 0.363 that one in a thousand pairs of different people pass (SFace,
LFW), so that even a list of one is not matched on the embedder's weakest evidence."""
