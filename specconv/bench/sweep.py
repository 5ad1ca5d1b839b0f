"""A config's transforms timed over a folder: each alone, all together, and beside other libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from specconv.audio import AudioFormat, load, similar_lengths
from specconv.bench.clips import Batch, Chunk, Clips
from specconv.bench.contest import Contest
from specconv.bench.machine import describe_machine, device_memory, usable_cores
from specconv.bench.peers import PEERS
from specconv.bench.rows import BenchReport, Row, one_by_one
from specconv.bench.timing import Progress, fixed_threads
from specconv.config import Job
from specconv.datasets import ClipRef, Listing, readable
from specconv.errors import AudioError, ConfigError, DatasetError, Fault
from specconv.transforms import Transform, TransformParameters, build_transform

ALL = "all together"
ROUNDS = 3
CHUNK_SAMPLES = 2**26  # of the clips that are timed in one call: 256 MB
PADDING_WASTE = 0.2  # of the samples of a batch, as when converting
KEPT_SHARE = 0.25  # of the memory, that decoded audio may take; a larger folder is decoded anew for each transform


@dataclass(frozen=True)
class Shape:
    """What a transform makes of the folder. bytes: that it would store, before compression."""

    n_bins: int
    n_frames: int
    bytes: int


@dataclass(frozen=True)
class SweepReport(BenchReport):
    """The rows of a sweep, and beside them:

    shapes: by transform. stages: seconds of decoding and resampling the folder once, in one thread.
    unreadable: clips that were left out, with the reason.
    """

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    stages: Mapping[str, float] = field(default_factory=dict)
    unreadable: Sequence[tuple[str, str]] = ()


def time_sweep(
    listing: Listing,
    job: Job,
    *,
    device: str = "cpu",
    against: Sequence[str] = (),
    progress: Progress = lambda _: None,
    show: Callable[[SweepReport], None] = lambda _: None,
) -> SweepReport:
    """Time every transform of ``job`` over the clips of ``listing``, and store nothing.

    device: "cpu", "cuda", "cuda:N" or "mps". against: peers by name. progress: told what is being done; show: given
    the report as far as it is, after each transform.
    Raises DatasetError if no clip can be read, ConfigError for what the audio's sample rate does not allow.
    """
    with fixed_threads(usable_cores()):
        clips, stages, unreadable = _decoded(listing, job, progress)
        sample_rate = clips.sample_rate
        job.check(sample_rate)
        transforms = {_name(p): build_transform(p, sample_rate) for p in job.transforms}
        _check_lengths(clips.lengths, transforms)
        contest = Contest("sweep", sample_rate, device, against, ROUNDS, progress=progress)
        report = SweepReport(
            "sweep",
            f"Sweep of {len(transforms)} transforms over {readable(listing.root)}",
            describe_machine(device, [PEERS[name].package for name in against]),
            [],
            notes=[*_notes(clips, len(unreadable)), *_inactive(job)],
            shapes={name: _shape(transform, clips.lengths, job.shards.dtype) for name, transform in transforms.items()},
            stages=stages,
            unreadable=unreadable,
        )
        given = [_given(parameters) for parameters in job.transforms]
        for one in given:
            report = replace(report, rows=[*report.rows, *contest.time_transforms([one], clips)])
            show(report)
        alone = report.rows
        for title, names in _subsets(alone).items():
            together = contest.time_together(title, [one for one in given if one["name"] in names], clips)
            report = replace(report, rows=[*report.rows, together, *one_by_one(alone, title, names)])
        return report


def _name(parameters: TransformParameters) -> str:
    return parameters.name or parameters.type


def _given(parameters: TransformParameters) -> Mapping[str, Any]:
    """What the config says of a transform, and the name it has there."""
    said = parameters.model_dump(exclude_unset=True)
    return {**said, "type": parameters.type, "name": _name(parameters)}


def _decoded(listing: Listing, job: Job, progress: Progress) -> tuple[Clips, dict[str, float], list[tuple[str, str]]]:
    """The folder's clips, the seconds of each stage of reading them once, and what could not be read."""
    stages = {"decode": 0.0, "resample": 0.0}
    unreadable: list[tuple[str, str]] = []
    read: list[tuple[ClipRef, int]] = []
    kept: dict[str, torch.Tensor] | None = {}
    wanted = AudioFormat(job.audio.sample_rate, job.audio.channels, job.audio.duration)
    room = KEPT_SHARE * device_memory("cpu")
    rate: int | None = job.audio.sample_rate
    for i, ref in enumerate(listing.clips):
        progress(f"decoding clip {i + 1:,} of {len(listing.clips):,}")
        try:
            audio = load(ref.path, wanted)
            rate = rate or audio.sample_rate
            if audio.sample_rate != rate:
                raise AudioError(readable(ref.path), "resample", f"{audio.sample_rate} Hz, but the first has {rate} Hz")
        except AudioError as fault:
            unreadable.append((ref.id, f"{fault.stage}: {fault.reason}"))
            continue
        for stage, seconds in audio.seconds.items():
            stages[stage] += seconds
        read.append((ref, len(audio.waveform)))
        if kept is not None:
            kept[ref.id] = audio.waveform
            room -= audio.waveform.nbytes
            kept = kept if room > 0 else None
    if not read or rate is None:
        raise DatasetError(f"{readable(listing.root)}: none of {len(listing.clips):,} clips can be read")
    lengths = [n for _, n in read]
    chunks = _chunks(lengths)

    def waveform(i: int) -> torch.Tensor:
        ref = read[i][0]
        return load(ref.path, replace(wanted, sample_rate=rate)).waveform if kept is None else kept[ref.id]

    def chunk(number: int) -> Chunk:
        return [_batch([waveform(i) for i in group]) for group in chunks[number]]

    description = f"{len(read):,} clips, decoded anew for each transform" if kept is None else f"{len(read):,} clips"
    return Clips(lengths, len(chunks), chunk, rate, description), stages, unreadable


def _chunks(lengths: Sequence[int]) -> list[list[list[int]]]:
    """Groups of clips of similar length, gathered into chunks of about CHUNK_SAMPLES."""
    chunks: list[list[list[int]]] = []
    room = 0
    for group in similar_lengths(lengths, PADDING_WASTE, CHUNK_SAMPLES):
        size = len(group) * max(lengths[i] for i in group)
        if size > room:
            chunks.append([])
            room = CHUNK_SAMPLES
        chunks[-1].append(group)
        room -= size
    return chunks


def _batch(waveforms: Sequence[torch.Tensor]) -> Batch:
    lengths = [len(waveform) for waveform in waveforms]
    if len(set(lengths)) == 1:
        return Batch(torch.stack(list(waveforms)))
    return Batch(torch.nn.utils.rnn.pad_sequence(list(waveforms), batch_first=True), lengths)


def _check_lengths(lengths: Sequence[int], transforms: Mapping[str, Transform]) -> None:
    short = [name for name, transform in transforms.items() if transform.n_frames(min(lengths)) < 1]
    if short:
        what = f"the shortest clip, {min(lengths)} samples, has no frame of {', '.join(short)}; set center: true"
        raise ConfigError([Fault("transforms", what)])


def _shape(transform: Transform, lengths: Sequence[int], dtype: str) -> Shape:
    frames = sum(transform.n_frames(n) for n in lengths)
    size = 8 if transform.dtype == torch.complex64 else {"float16": 2}.get(dtype, 4)
    return Shape(transform.n_bins, frames, transform.n_bins * frames * size)


def _subsets(rows: Sequence[Row]) -> dict[str, list[str]]:
    """What is timed as one: all transforms, and those that a peer has, where it lacks some."""
    every = list(dict.fromkeys(row.transform for row in rows))
    subsets = {ALL: every}
    for source in dict.fromkeys(row.source for row in rows if not row.is_ours):
        had = list(dict.fromkeys(row.transform for row in rows if row.source == source and row.was_run))
        if 1 < len(had) < len(every):
            subsets[f"the {len(had)} of {source}"] = had
    return subsets


def _inactive(job: Job) -> list[str]:
    """Say which layers are in no time, for they work in training alone."""
    return [
        f"{layer} changes nothing here and takes no time, for it works in training alone: {', '.join(names)}."
        for layer, names in job.training_only().items()
    ]


def _notes(clips: Clips, unreadable: int) -> list[str]:
    seconds = clips.n_samples / clips.sample_rate
    left_out = f"; {unreadable:,} more could not be read" if unreadable else ""
    return [
        f"{clips.description}{left_out}: {seconds:,.1f} s of audio at {clips.sample_rate:g} Hz.",
        f"Times are of computing alone: medians of {ROUNDS} interleaved rounds, waveforms already on the device.",
    ]
