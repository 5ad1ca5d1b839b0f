"""Shards made in this process, one after the other, each by all of its threads."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from pathlib import Path

import torch

from specconv.pipeline import Recipe, ShardResult, ShardTask, converter_for, make_shards
from specconv.pipeline.shard import Advance

MOST_THREADS = 8  # each holds Python's lock for a part of its time


class InProcess:
    """The executor of this process.

    device: where transforms are computed. threads: that decode and transform; None: one a core, up to 8.
    """

    def __init__(self, device: torch.device, threads: int | None = None) -> None:
        cores = torch.get_num_threads() if device.type == "cpu" else os.cpu_count() or 1
        self.device, self.threads = device, threads or min(cores, MOST_THREADS)

    def run(
        self, recipe: Recipe, tasks: Sequence[ShardTask], folder: Path, *, strict: bool, advance: Advance
    ) -> Generator[ShardResult]:
        converter = converter_for(recipe, self.device)
        yield from make_shards(converter, tasks, folder, threads=self.threads, strict=strict, advance=advance)
