"""convert(): a folder of audio becomes a folder of shards. Read this first.

    find clips → plan (cut into shards, build transforms) → take the output folder
      → decode ahead in threads → windows of clips → transform → write behind in a thread → index

A shard is whole or absent, and the index is written last; a run that ends early, however it ends, is taken up by
running it again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from specconv.config import Job, load_config
from specconv.datasets import open_dataset
from specconv.errors import Fault, ParameterError
from specconv.pipeline.computing import Computing
from specconv.pipeline.device import choose_device
from specconv.pipeline.failures import failure_of
from specconv.pipeline.long_clip import LongClip
from specconv.pipeline.output import open_output
from specconv.pipeline.plan import Plan, make_plan
from specconv.pipeline.report import Progress, Report, Silent, Stopwatch
from specconv.pipeline.stages import Window, decode_ahead, windows
from specconv.pipeline.write_behind import WriteBehind
from specconv.shards import underflow_shares

MOST_DECODING = 8  # threads, unless asked for more


def convert(
    audio: str | Path,
    job: Job | Mapping[str, Any] | str | Path,
    out: str | Path,
    *,
    dataset: str = "auto",
    device: str = "auto",
    overwrite: bool = False,
    strict: bool = False,
    workers: int | None = None,
    part: tuple[int, int] = (1, 1),
    progress: Progress | None = None,
) -> Report:
    """Convert every clip under ``audio`` with every transform of ``job``, into shards in the folder ``out``.

    dataset: auto, or a name of `specconv.datasets.DATASETS`. device: auto, cpu, cuda, cuda:N or mps.
    overwrite: replace shards made by another config or version, or from another folder. strict: stop at the first
    clip that fails. workers: decoding threads. part: (i, n), do the i-th of n equal shares of the shards, i from 1.

    What is already whole is kept. Raises ConfigError, DatasetError, ParameterError before anything is written;
    OutputError also later, if the folder or the space in it is gone; AudioError when strict. Clips that fail are in
    the report and in ``errors.jsonl``.
    """
    faults = []
    if not 1 <= part[0] <= part[1]:
        faults.append(Fault("part", f"is {part}; must be (i, n) with 1 <= i <= n"))
    if workers is not None and workers < 1:
        faults.append(Fault("workers", f"is {workers}; must be at least 1 thread"))
    if faults:
        raise ParameterError(faults)
    if not isinstance(job, Job):
        job = load_config(job)
    chosen = choose_device(device)
    plan = make_plan(job, open_dataset(audio, dataset), Path(out))
    return run(
        plan,
        Path(out),
        chosen,
        overwrite=overwrite,
        strict=strict,
        workers=workers,
        part=part,
        progress=progress or Silent(),
    )


def run(
    plan: Plan,
    out: Path,
    device: torch.device,
    *,
    overwrite: bool,
    strict: bool,
    workers: int | None,
    part: tuple[int, int],
    progress: Progress,
) -> Report:
    """Carry out a plan; parameters as for `convert`."""
    clock = Stopwatch()
    with open_output(plan, out, overwrite=overwrite, part=part, progress=progress) as output:
        kept_clips = sum(len(shard.clips) for shard in output.kept)
        todo_clips = sum(len(shard.clips) for shard in output.todo)
        progress.start(clips=kept_clips + todo_clips, done=kept_clips)
        started = time.perf_counter()
        audio_seconds = 0.0
        with (
            WriteBehind(plan, clock, strict=strict) as writing,
            Computing(plan.transforms, device) as computing,
            closing(decode_ahead(plan, output.todo, workers or min(MOST_DECODING, os.cpu_count() or 1))) as decoded,
        ):
            for window in windows(plan, decoded):
                seconds = _convert_window(plan, window, computing, writing, clock)
                audio_seconds += seconds
                progress.advance(clips=len(window.clips), audio_seconds=seconds)
            writing.finish()
        total_bytes = output.finish(writing.entries)
        whole = [shard.path for shard in (*output.kept, *output.todo)] if plan.job.shards.dtype == "float16" else []
        return Report(
            out=out,
            clips=todo_clips - len(writing.failures),
            kept_clips=kept_clips,
            failures=[*output.kept_failures, *writing.failures],
            audio_seconds=audio_seconds,
            shards=len(output.todo),
            kept_shards=len(output.kept),
            bytes=total_bytes,
            wall_seconds=time.perf_counter() - started,
            seconds=clock.seconds,
            float16_underflow=underflow_shares(whole),
        )


def _convert_window(plan: Plan, window: Window, computing: Computing, writing: WriteBehind, clock: Stopwatch) -> float:
    """Transform a window and hand it on; returns the seconds of audio in it."""
    if window.clips[0].is_long:
        return _convert_long(plan, window, computing, writing, clock)
    loaded = [item.audio for item in window.clips if item.audio is not None]
    for audio in loaded:
        for stage, seconds in audio.seconds.items():
            clock.seconds[stage] += seconds
    with clock.measure("compute"):
        specgrams = computing([audio.waveform for audio in loaded]) if loaded else []
    writing.write(window, specgrams)
    return sum(len(audio.waveform) for audio in loaded) / plan.sample_rate


def _convert_long(plan: Plan, window: Window, computing: Computing, writing: WriteBehind, clock: Stopwatch) -> float:
    """The same for one clip that streams from its file through the transforms into the shard."""
    item = window.clips[0]
    long_clip = LongClip(plan, item, computing.device)
    with clock.measure("compute"), computing.all_cores():
        try:
            writing.write_long(window, item, long_clip)
        except Exception as error:
            failure = failure_of(plan.stored_path(item.clip), error)
            if failure is None:
                raise
            writing.fail(window, failure)
            return 0.0
    for stage, seconds in long_clip.seconds.items():
        clock.seconds[stage] += seconds
        clock.seconds["compute"] -= seconds
    return long_clip.n_samples / plan.sample_rate
