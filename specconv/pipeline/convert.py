"""convert(): a folder of audio becomes a folder of shards. Read this first.

    find clips (datasets) → plan: cut them into shards → take the output folder (output)
      → an executor makes every shard that is missing (shard) → index, ledger (output)

A shard is whole or absent, and the index is written last; a run that ends early, however it ends, is continued by
running it again.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from specconv.pipeline.converter import converter_for
from specconv.pipeline.output import open_output
from specconv.pipeline.plan import Plan
from specconv.pipeline.recipe import Recipe, ShardResult, ShardTask
from specconv.pipeline.report import Progress, Report, Silent, Stopwatch
from specconv.pipeline.shard import Advance
from specconv.shards import shard_name, underflow_shares


class Executor(Protocol):
    """A place where shards are made: this process, other processes, a cluster."""

    def run(
        self, recipe: Recipe, tasks: Sequence[ShardTask], folder: Path, *, strict: bool, advance: Advance
    ) -> Generator[ShardResult]:
        """Make every shard by `specconv.pipeline.make_shard` and yield each when it is whole, in any order.

        strict: raise AudioError for the first clip that fails. advance: call it for all clips handled, in this thread.
        Raise the first error that is no clip's own. Stop all work before the iterator is closed.
        """


def convert(
    plan: Plan,
    out: Path,
    executor: Executor,
    *,
    overwrite: bool = False,
    strict: bool = False,
    part: tuple[int, int] = (1, 1),
    config: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Carry out a plan: make every shard of it that is not whole in ``out``, then the index.

    overwrite: replace shards made by another config or version, or from another folder. strict: stop at the first
    clip that fails. part: (i, n), make the i-th of n equal shares of the shards, i from 1. config: as ``--config``
    takes it, to print the commands that go on; None if it was no file.

    Raises OutputError before anything is written, and later if the folder or its free space is gone; AudioError when
    strict. Clips that fail are in the report and in ``errors.jsonl``.
    """
    progress, clock = progress or Silent(), Stopwatch()
    converter = converter_for(plan.recipe)
    with open_output(plan, converter, out, overwrite=overwrite, part=part, config=config, progress=progress) as output:
        kept_clips = sum(len(task.clips) for task in output.kept)
        todo_clips = sum(len(task.clips) for task in output.todo)
        progress.start(clips=kept_clips + todo_clips, done=kept_clips)
        started = time.perf_counter()
        results: list[ShardResult] = []

        def advance(clips: int, audio_seconds: float) -> None:
            progress.advance(clips=clips, audio_seconds=audio_seconds)

        with closing(executor.run(plan.recipe, output.todo, out, strict=strict, advance=advance)) as made:
            for result in made:
                results.append(result)
                clock.add(result.seconds)
        names = [shard_name(task.number) for task in (*output.kept, *output.todo)]
        total_bytes = output.finish({result.number: result.entry for result in results})
        failures = [failed for result in sorted(results, key=lambda r: r.number) for failed in result.failures]
        return Report(
            out=out,
            clips=todo_clips - len(failures),
            kept_clips=kept_clips,
            failures=[*output.kept_failures, *failures],
            audio_seconds=sum(result.audio_seconds for result in results),
            shards=len(output.todo),
            kept_shards=len(output.kept),
            bytes=total_bytes,
            wall_seconds=time.perf_counter() - started,
            seconds=clock.seconds,
            float16_underflow=underflow_shares(out, names if plan.recipe.shards.dtype == "float16" else []),
        )
