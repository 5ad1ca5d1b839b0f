"""From a folder of audio to a folder of shards; `convert` is the place to begin reading."""

from __future__ import annotations

from specconv.pipeline.convert import convert
from specconv.pipeline.device import choose_device
from specconv.pipeline.failures import Failure
from specconv.pipeline.plan import Estimate, Plan, make_plan
from specconv.pipeline.report import Progress, Report, Silent

__all__ = [
    "Estimate",
    "Failure",
    "Plan",
    "Progress",
    "Report",
    "Silent",
    "choose_device",
    "convert",
    "make_plan",
]
