"""The plan: which clips make which shard, decided before anything runs.

The same folder and config always give the same cut. A shard is the unit of work, of retry, of resuming and of
distribution, and its fingerprint stands for everything that it is made from.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, repeat
from pathlib import Path

import torch

from specconv import __version__
from specconv.audio import AudioFormat, probe
from specconv.config import Job
from specconv.datasets import ClipRef, Listing
from specconv.errors import AudioError, ConfigError, Fault, ParameterError, SpecconvError
from specconv.shards import SpecgramSpec, shard_path
from specconv.transforms import Transform, TransformSet, build_transform
from specconv.transforms.streaming import shortest_stream

BLOCK_BYTES = 2**26  # of a long recording's samples and specgrams that are in memory together
LONG_BYTES = 2**27  # of samples and specgrams, from which on a recording counts as long
PROBING_THREADS = 8  # reading headers waits for the disk, not for a core


@dataclass(frozen=True)
class ShardPlan:
    """One shard: its final path and the clips that it shall hold, in order."""

    number: int
    path: Path
    clips: tuple[ClipRef, ...]
    fingerprint: str


@dataclass(frozen=True)
class Estimate:
    """What a conversion would make. bytes: of the values, before compression; unreadable: headers."""

    clips: int
    audio_seconds: float
    shards: int
    bytes: int
    unreadable: int


@dataclass(frozen=True)
class Plan:
    """Everything that is known before the first clip is decoded.

    audio_format: what every clip becomes, its sample rate known.
    """

    job: Job
    listing: Listing
    audio_format: AudioFormat
    transforms: TransformSet
    shards: tuple[ShardPlan, ...]

    @property
    def sample_rate(self) -> int:
        rate = self.audio_format.sample_rate
        if rate is None:
            raise ParameterError("a plan needs audio of known sample rate")
        return rate

    @cached_property
    def config_yaml(self) -> str:
        """The config with every default written out: what says that shards are of the same conversion."""
        return self.job.to_yaml()

    @cached_property
    def specs(self) -> tuple[SpecgramSpec, ...]:
        """How the shards describe each transform's specgrams."""
        return tuple(self._spec(transform) for transform in self.transforms.by_name.values())

    def _spec(self, transform: Transform) -> SpecgramSpec:
        duration = self.audio_format.duration
        fixed = None if duration is None else transform.n_frames(round(duration * self.sample_rate))
        return SpecgramSpec(
            name=transform.name,
            n_bins=transform.n_bins,
            dtype="complex64" if transform.dtype == torch.complex64 else self.job.shards.dtype,
            axes=("frequency", "time"),
            sample_rate=self.sample_rate,
            hop_length=transform.hop_length,
            units=transform.units,
            parameters=json.dumps(transform.parameters_given.model_dump(mode="json")),
            center_frequencies=transform.center_frequencies,
            n_frames=fixed,
        )

    def estimate(self, shards: Sequence[ShardPlan] | None = None) -> Estimate:
        """Clips, hours and bytes of ``shards`` or all; reads the headers of their files unless a duration is given."""
        shards = self.shards if shards is None else shards
        clips = [clip.path for shard in shards for clip in shard.clips]
        duration = self.audio_format.duration
        seconds = _durations(clips) if duration is None else repeat(duration, len(clips))
        n_bytes = n_samples = unreadable = 0
        for shard in shards:
            known = [s for s in islice(seconds, len(shard.clips)) if s is not None]
            lengths = Counter(round(s * self.sample_rate) for s in known)
            unreadable += len(shard.clips) - len(known)
            n_samples += sum(length * n for length, n in lengths.items())
            for spec in self.specs:
                n_frames = sum(self._frames(spec, length) * n for length, n in lengths.items())
                n_bytes += spec.size(len(known), n_frames)
        return Estimate(len(clips), n_samples / self.sample_rate, len(shards), n_bytes, unreadable)

    def stored_path(self, clip: ClipRef) -> str:
        """The clip's path below the audio folder, as shards and ledger have it."""
        return clip.path.relative_to(self.listing.root).as_posix()

    def check_clip(self, clip: ClipRef, source_sample_rate: int, n_samples: int) -> None:
        """Raise AudioError if a decoded clip cannot be transformed: another rate, or too short for a frame."""
        path = self.stored_path(clip)
        if self.job.audio.sample_rate is None and source_sample_rate != self.sample_rate:
            raise AudioError(
                path,
                "resample",
                f"its rate is {source_sample_rate} Hz, but the first clip's is {self.sample_rate} Hz; "
                "set audio.sample_rate to resample all to one",
            )
        for transform in self.transforms.by_name.values():
            if transform.n_frames(n_samples) < 1:
                raise AudioError(
                    path,
                    "transform",
                    f"{n_samples} samples are too short for one frame of {transform.name}; set center: true",
                )

    def memory_of(self, n_samples: int) -> int:
        """Bytes that a clip takes while it is transformed: its waveform and all its specgrams, as computed."""
        sizes = {"float16": 4, "float32": 4, "complex64": 8}
        return 4 * n_samples + sum(
            spec.n_bins * self._frames(spec, n_samples) * sizes[spec.dtype] for spec in self.specs
        )

    @cached_property
    def block_samples(self) -> int:
        """Samples of a long recording that are worked on together: about BLOCK_BYTES with their specgrams."""
        second = max(1, self.memory_of(self.sample_rate))
        return max(self.sample_rate // 4, min(2**22, BLOCK_BYTES * self.sample_rate // second))

    @cached_property
    def long_samples(self) -> int:
        """Samples from which on a clip is streamed, where the numbers are the same either way."""
        shortest = shortest_stream(list(self.transforms.by_name.values()))
        return max(shortest, LONG_BYTES * self.sample_rate // max(1, self.memory_of(self.sample_rate)))

    def _frames(self, spec: SpecgramSpec, n_samples: int) -> int:
        return self.transforms.by_name[spec.name].n_frames(n_samples)


def make_plan(job: Job, listing: Listing, out: Path) -> Plan:
    """Cut the listing into shards and build the transforms, each checked against the audio's sample rate.

    Raises ConfigError, AudioError if no clip tells its sample rate.
    """
    sample_rate = job.audio.sample_rate or _common_sample_rate(listing)
    job.check(sample_rate)
    audio_format = AudioFormat(sample_rate, job.audio.channels, job.audio.duration)
    transforms = TransformSet(list(_built(job, sample_rate)))
    if audio_format.duration is not None:
        n_samples = round(audio_format.duration * sample_rate)
        short = [t for t in transforms.by_name.values() if t.n_frames(n_samples) < 1]
        if short:
            raise ConfigError(
                [
                    Fault(
                        "audio.duration",
                        f"{audio_format.duration} s are {n_samples} samples, too short for one frame of {t.name}; "
                        "lengthen it or set center: true",
                    )
                    for t in short
                ]
            )
    size, clips, config = job.shards.clips, listing.clips, job.to_yaml()
    shards = []
    for number, first in enumerate(range(0, len(clips), size)):
        members = clips[first : first + size]
        fingerprint = _fingerprint(config, sample_rate, listing, members)
        shards.append(ShardPlan(number, shard_path(out, number), members, fingerprint))
    return Plan(job, listing, audio_format, transforms, tuple(shards))


def _built(job: Job, sample_rate: int) -> Iterator[Transform]:
    faults: list[Fault] = []
    for key, parameters in zip(job.keys, job.transforms, strict=True):
        try:
            if any(layer.scope == "batch" for layer in parameters.then):
                faults.append(
                    Fault(
                        f"{key}.then",
                        "normalizes over the batch; a stored specgram depends on its own clip only",
                    )
                )
            yield build_transform(parameters, sample_rate)
        except ParameterError as error:
            faults += [fault.under(key) for fault in error.faults]
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


def _durations(paths: list[Path]) -> Iterator[float | None]:
    def duration(path: Path) -> float | None:
        try:
            info = probe(path)
        except AudioError:
            return None
        return max(info.n_samples, 0) / info.sample_rate

    with ThreadPoolExecutor(PROBING_THREADS) as pool:
        yield from pool.map(duration, paths)


def _fingerprint(config: str, sample_rate: int, listing: Listing, clips: tuple[ClipRef, ...]) -> str:
    """The version, and a digest of config and, for each clip, name, labels, size and time of change of its files."""
    digest = hashlib.sha256()
    digest.update(repr((config, sample_rate, listing.dataset.name)).encode())
    for clip in clips:
        entry = (clip.id, os.fspath(clip.path.relative_to(listing.root)), sorted(clip.labels.items()))
        states = [_state(path) for path in (clip.path, clip.notes_path) if path is not None]
        digest.update(repr((entry, states)).encode("utf-8", "surrogateescape"))
    return f"{__version__} {digest.hexdigest()}"


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
