"""The shaped link of the simulated camera, for tests of what travels over it."""

from firmware_sim.link import Link, Tap, Weather

__all__ = ["Link", "Tap", "Weather"]
