"""How the audit log is signed and kept."""

from __future__ import annotations

from pydantic import Field

from agent.config.section import Section


class AuditConfig(Section):
    checkpoint_every_s: float = Field(
        900.0,
        ge=10,
        le=86_400,
        description="What was recorded is signed for within this time, s; while armed, a "
        "checkpoint is made this often in any case.",
    )
    checkpoint_records: int = Field(
        100, ge=1, le=10_000, description="... and after so many records."
    )
    file_mb: float = Field(
        4.0, ge=0.01, le=1000, description="A file of the log as long as this is finished, MB."
    )
    total_mb: float = Field(
        64.0,
        ge=0.02,
        le=100_000,
        description="When the log is longer, its oldest files are given up, MB; with an agency "
        "only those whose checkpoint the hub has.",
    )
