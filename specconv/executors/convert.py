"""`specconv.convert`: from names and paths to a plan, and to the executor that carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specconv.config import Job, load_config
from specconv.datasets import open_dataset
from specconv.errors import Fault, ParameterError
from specconv.executors.in_process import InProcess
from specconv.pipeline import Executor, Progress, Report, choose_device, make_plan
from specconv.pipeline import convert as convert_plan
from specconv.ready_configs import config_reference
from specconv.storage import local_path


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
    clip that fails. workers: threads that decode and transform. part: (i, n), make the i-th of n equal shares of the
    shards, i from 1.

    What is already whole is kept. Raises ConfigError, DatasetError, ParameterError before anything is written;
    OutputError also later, if the folder or its free space is gone; AudioError when strict. Clips that fail are in
    the report and in ``errors.jsonl``.
    """
    out = local_path(out)
    faults = []
    if not 1 <= part[0] <= part[1]:
        faults.append(Fault("part", f"is {part}; must be (i, n) with 1 <= i <= n"))
    if workers is not None and workers < 1:
        faults.append(Fault("workers", f"is {workers}; must be at least 1 thread"))
    if faults:
        raise ParameterError(faults)
    config = config_reference(job) if isinstance(job, (str, Path)) else None
    if not isinstance(job, Job):
        job = load_config(job)
    executor = choose_executor(device, workers)
    plan = make_plan(job, open_dataset(audio, dataset))
    return convert_plan(
        plan, out, executor, overwrite=overwrite, strict=strict, part=part, config=config, progress=progress
    )


def choose_executor(device: str, workers: int | None) -> Executor:
    """Return the executor for a device by its name. Raises ParameterError if this machine has no such device."""
    return InProcess(choose_device(device), workers)
