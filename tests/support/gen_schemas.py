"""Writes the schemas and examples of every format: `python -m tests.support.gen_schemas`."""

from __future__ import annotations

from pathlib import Path

from agent.config import Config
from agent.messages import catalogue

DOCS = Path(__file__).resolve().parents[2] / "agent" / "docs"


def documents() -> dict[Path, str]:
    """Every generated file of agent/docs and its text."""
    schemas = catalogue.schemas() | {"config.schema.json": catalogue.schema_text(Config)}
    return {DOCS / "schemas" / name: text for name, text in schemas.items()} | {
        DOCS / "examples" / name: text for name, text in catalogue.examples().items()
    }


def main() -> None:
    for path, text in documents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(DOCS.parents[1]))


if __name__ == "__main__":
    main()
