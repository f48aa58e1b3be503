"""Composition root: the only place that names concrete classes together.

Everything is built here and passed in: `context` for every command, `build` for the agent.
"""

from agent.app.context import Context

__all__ = ["Context"]
