"""One frame through all stages."""

from agent.pipeline.pipeline import Pipeline
from agent.pipeline.result import STAGES, StepResult, Timings
from agent.pipeline.settings import Activation, PipelineSettings, decision_rule

__all__ = [
    "STAGES",
    "Activation",
    "Pipeline",
    "PipelineSettings",
    "StepResult",
    "Timings",
    "decision_rule",
]
