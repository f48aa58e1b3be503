"""Writes the schemas and examples of every format: `python -m tests.support.gen_schemas`."""

from __future__ import annotations

from pathlib import Path

from agent.config import Config
from agent.hub.policies import preset
from agent.messages import catalogue

_MARCH = 1_772_323_200.0
"""2026-03-01, UTC."""
DOCS = Path(__file__).resolve().parents[2] / "agent" / "docs"


def documents() -> dict[Path, str]:
    """Every generated file of agent/docs and its text."""
    schemas = catalogue.schemas() | {"config.schema.json": catalogue.schema_text(Config)}
    policy = preset("uk-live-deployment", agency="example-pd", version=1, days=90, now=_MARCH)
    examples = catalogue.examples() | {"policy.yaml": policy.decode()}
    return {DOCS / "schemas" / name: text for name, text in schemas.items()} | {
        DOCS / "examples" / name: text for name, text in examples.items()
    }


def main() -> None:
    for path, text in documents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(DOCS.parents[1]))


if __name__ == "__main__":
    main()
