"""The plan: which clips make which shard, decided before anything runs.

The same folder and config always give the same cut. A shard is the unit of work, of retry, of resuming and of
distribution, and its fingerprint stands for everything that it is made from.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from specconv.audio import AudioFormat, probe
from specconv.config import Job
from specconv.datasets import ClipRef, Listing
from specconv.errors import AudioError, ConfigError, Fault, ParameterError, SpecconvError
from specconv.pipeline.recipe import Recipe, ShardTask
from specconv.transforms import build_transform
from specconv.version import __version__


@dataclass(frozen=True)
class Plan:
    """Everything that is known before the first clip is decoded."""

    recipe: Recipe
    tasks: tuple[ShardTask, ...]
    listing: Listing


def make_plan(job: Job, listing: Listing) -> Plan:
    """Cut the listing into shards, and check the transforms against the audio's sample rate.

    Raises ConfigError, AudioError if no clip tells its sample rate.
    """
    sample_rate = job.audio.sample_rate or _common_sample_rate(listing)
    job.check(sample_rate)
    _check_transforms(job, sample_rate)
    recipe = Recipe(
        root=listing.root,
        dataset=listing.dataset.name,
        audio=AudioFormat(sample_rate, job.audio.channels, job.audio.duration),
        resample=job.audio.sample_rate is not None,
        transforms=job.transforms,
        shards=job.shards,
        config=job.to_yaml(),
    )
    size, tasks = job.shards.clips, []
    for number, first in enumerate(range(0, len(listing.clips), size)):
        clips = listing.clips[first : first + size]
        tasks.append(ShardTask(number, clips, _fingerprint(recipe, clips)))
    return Plan(recipe, tuple(tasks), listing)


def _check_transforms(job: Job, sample_rate: int) -> None:
    """Raise ConfigError with every fault that shows when the transforms are built."""
    faults: list[Fault] = []
    n_samples = None if job.audio.duration is None else round(job.audio.duration * sample_rate)
    for key, parameters in zip(job.keys, job.transforms, strict=True):
        if any(layer.scope == "batch" for layer in parameters.then):
            message = "normalizes over the batch; a stored specgram depends on its own clip only"
            faults.append(Fault(f"{key}.then", message))
        try:
            transform = build_transform(parameters, sample_rate)
        except ParameterError as error:
            faults += [fault.under(key) for fault in error.faults]
            continue
        if n_samples is not None and transform.n_frames(n_samples) < 1:
            message = f"{job.audio.duration} s are {n_samples} samples, too short for one frame of {transform.name}"
            faults.append(Fault("audio.duration", f"{message}; lengthen it or set center: true"))
    if faults:
        raise ConfigError(faults)


def _common_sample_rate(listing: Listing) -> int:
    """The rate of the first clip whose header can be read; the others must agree when they are decoded."""
    reasons: list[SpecconvError] = []
    for clip in listing.clips:
        try:
            return probe(clip.path).sample_rate
        except AudioError as error:
            reasons.append(error)
    raise reasons[0]


def _fingerprint(recipe: Recipe, clips: tuple[ClipRef, ...]) -> str:
    """Return the version, and a digest of the recipe and of each clip's name, labels, and files (size, time)."""
    digest = hashlib.sha256()
    digest.update(repr((recipe.config, recipe.sample_rate, recipe.dataset)).encode())
    for clip in clips:
        entry = (clip.id, os.fspath(clip.path.relative_to(recipe.root)), sorted(clip.labels.items()))
        states = [_state(path) for path in (clip.path, clip.notes_path) if path is not None]
        digest.update(repr((entry, states)).encode("utf-8", "surrogateescape"))
    return f"{__version__} {digest.hexdigest()}"


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
