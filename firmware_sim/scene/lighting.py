"""What lights the scene, and in which colour."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lighting:
    """Light of a time of day.

    Attributes:
        level: light on the street, 1 for a bright day.
        sky: brightness of the sky against the street's.
        ambient: share of the light that is everywhere; the rest falls from lamps.
        lamps_m: distance between lamps along the street, metres; 0: none.
        tint: blue, green, red of the light against daylight.
        flicker: depth of the mains' flicker of the lamps, 0..1.
    """

    level: float
    sky: float
    ambient: float
    lamps_m: float
    tint: tuple[float, float, float]
    flicker: float

    def at(self, x: float, z: float) -> float:
        """Light at a place against the brightest one, 0..1."""
        if not self.lamps_m:
            return self.ambient
        nearest = (z + self.lamps_m / 2) % self.lamps_m - self.lamps_m / 2
        pool = 1.0 / (1.0 + (nearest / 3.5) ** 2 + (x / 6.0) ** 2)
        return self.ambient + (1.0 - self.ambient) * pool


LIGHTS = {
    "day": Lighting(1.0, 1.0, 1.0, 0.0, (1.0, 1.0, 1.0), 0.0),
    "overcast": Lighting(0.25, 0.98, 1.0, 0.0, (1.06, 1.0, 0.96), 0.0),
    "backlit": Lighting(0.8, 1.35, 0.42, 0.0, (1.0, 1.0, 1.0), 0.0),
    "dusk": Lighting(0.03, 0.55, 0.75, 12.0, (1.05, 1.0, 0.95), 0.04),
    "night": Lighting(0.0035, 0.03, 0.30, 12.0, (0.62, 0.92, 1.12), 0.18),
    "dark": Lighting(0.0007, 0.01, 0.35, 24.0, (0.7, 0.95, 1.1), 0.1),
}
