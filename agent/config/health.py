"""What the device tells of itself."""

from __future__ import annotations

from pydantic import Field

from agent.config.section import Section


class HealthConfig(Section):
    every_s: float = Field(
        60.0,
        ge=10,
        le=86_400,
        description="Between two health messages (counts only), s.",
    )
    prometheus_file: str = Field(
        "",
        pattern=r"^(/.*\.prom)?$",
        max_length=1000,
        description="Write the same counts into this file, for node_exporter's textfile "
        "collector: an absolute path that ends in .prom, readable by all; empty: none.",
    )
    home_assistant: bool = Field(
        False,
        description="Announce status sensors to Home Assistant (topics homeassistant/...); "
        "switched off, they are taken away again.",
    )
