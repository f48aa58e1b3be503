from agent.config import DeliveryConfig
from agent.delivery import Backoff, DeliveryLimits


def test_the_limits_are_those_of_the_configuration():
    config = DeliveryConfig(
        confirm="broker", in_flight=7, ack_timeout_s=9, retry_first_s=2, retry_cap_s=30,
        live_for_s=60, expire_s=3600,
    )  # fmt: skip
    assert DeliveryLimits.of(config) == DeliveryLimits(
        7, 9, Backoff(2, 30), "broker", live_for_s=60, expire_s=3600
    )


def test_what_the_hub_owes_is_bounded_in_number_and_in_patience():
    limits = DeliveryLimits(20, 20.0, Backoff(0.5, 60.0))
    assert (limits.unconfirmed, limits.longest_ack_s) == (100, 320.0)
