"""From a folder of audio to a folder of shards; `convert` is the place to begin reading."""

from __future__ import annotations

from specconv.pipeline.convert import Executor, convert
from specconv.pipeline.converter import Converter, converter_for
from specconv.pipeline.device import choose_device
from specconv.pipeline.estimate import Estimate, estimate
from specconv.pipeline.plan import Plan, make_plan
from specconv.pipeline.recipe import Recipe, ShardResult, ShardTask
from specconv.pipeline.report import Progress, Report, Silent
from specconv.pipeline.shard import make_shard, make_shards

__all__ = [
    "Converter",
    "Estimate",
    "Executor",
    "Plan",
    "Progress",
    "Recipe",
    "Report",
    "ShardResult",
    "ShardTask",
    "Silent",
    "choose_device",
    "convert",
    "converter_for",
    "estimate",
    "make_plan",
    "make_shard",
    "make_shards",
]
