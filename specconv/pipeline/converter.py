"""Clips become specgrams by one recipe on one device. A worker builds a `Converter` once and keeps it.

Memory is bounded whatever the files hold: a batch ends when its waveforms and specgrams reach BATCH_BYTES, and a
recording that is too long for memory is left to `specconv.pipeline.long_clip`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch

from specconv.audio import LoadedClip, load_at_most
from specconv.datasets import DATASETS, ClipRef
from specconv.errors import AudioError
from specconv.pipeline.compute import Frames, compute
from specconv.pipeline.failures import NO_MEMORY, failure_of
from specconv.pipeline.recipe import Recipe
from specconv.shards import ClipRow, FailedClip, SpecgramSpec
from specconv.transforms import Transform, TransformSet, build_transform
from specconv.transforms.streaming import shortest_stream

BLOCK_BYTES = 2**26  # of a long recording's samples and specgrams that are in memory together
LONG_BYTES = 2**27  # of samples and specgrams, from which on a recording counts as long
BATCH_BYTES = {"cpu": 2**24, "gpu": 2**27}  # of samples and specgrams that are computed together
BATCH_CLIPS = {"cpu": 64, "gpu": 256}


@dataclass
class Batch:
    """Some clips of a shard, in order.

    clips: a row for each clip that became specgrams, a failure for each other. sizes: bytes of memory of each.
    specgrams: of the rows, as `specconv.pipeline.compute.Computed` has them.
    left: clips that were not begun; ``long``: the first of them is too long for memory.
    """

    clips: list[ClipRow | FailedClip] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    specgrams: dict[str, list[Frames]] = field(default_factory=dict)
    left: Sequence[ClipRef] = ()
    long: bool = False
    audio_seconds: float = 0.0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("decode", "resample", "compute"), 0.0))


class Converter:
    """The transforms of a recipe on a device, and what shards say of them.

    specs: how the shards describe each transform's specgrams.
    block_samples: of a long recording that are worked on together, about BLOCK_BYTES with their specgrams.
    long_samples: from which on a clip is streamed; its numbers are the same either way.
    """

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        self.transforms = TransformSet([build_transform(p, recipe.sample_rate) for p in recipe.transforms])
        self.transforms.to(device).eval()
        self.dataset = DATASETS[recipe.dataset]
        self.specs = tuple(_spec(recipe, transform) for transform in self.members)
        rate, second = recipe.sample_rate, max(1, self.memory_of(recipe.sample_rate))
        self.block_samples = max(rate // 4, min(2**22, BLOCK_BYTES * rate // second))
        self.long_samples = max(shortest_stream(self.members), LONG_BYTES * rate // second)
        self._batch_bytes = BATCH_BYTES["cpu" if device.type == "cpu" else "gpu"]
        self._batch_clips = BATCH_CLIPS["cpu" if device.type == "cpu" else "gpu"]
        duration = recipe.audio.duration
        self._largest = 0 if duration is None else self.memory_of(round(duration * rate))  # of a clip met so far
        # One batch at a time on a GPU: its memory is for one.
        self._device_lock = nullcontext() if device.type == "cpu" else threading.Lock()

    @property
    def members(self) -> list[Transform]:
        return list(self.transforms.by_name.values())

    @property
    def clips_at_once(self) -> int:
        """How many clips the next batch should begin with: one, until it is known how large they are."""
        return max(1, min(self._batch_clips, self._batch_bytes // self._largest)) if self._largest else 1

    def memory_of(self, n_samples: int) -> int:
        """Return the bytes that a clip takes while it is transformed: its waveform and all its specgrams."""
        sizes = {"float16": 4, "float32": 4, "complex64": 8}
        frames = [transform.n_frames(n_samples) for transform in self.members]
        return 4 * n_samples + sum(
            spec.n_bins * n * sizes[spec.dtype] for spec, n in zip(self.specs, frames, strict=True)
        )

    def convert(self, clips: Sequence[ClipRef]) -> Batch:
        """Decode and transform clips in order, until memory is full or one is too long."""
        batch, loaded, held = Batch(), [], 0
        for i, clip in enumerate(clips):
            if held > self._batch_bytes:
                batch.left = clips[i:]
                break
            try:
                audio = load_at_most(clip.path, self.recipe.audio, self.long_samples - 1)
                if audio is None:
                    batch.left, batch.long = clips[i:], True
                    break
                self.check(clip, audio.source_sample_rate, len(audio.waveform))
                row = self.row(clip, audio.source_sample_rate, audio.n_samples)
            except Exception as error:
                batch.clips.append(self._failure(clip, error))
                batch.sizes.append(0)
                continue
            size = self.memory_of(len(audio.waveform))
            held, self._largest = held + size, max(self._largest, size)
            batch.clips.append(row)
            batch.sizes.append(size)
            batch.audio_seconds += len(audio.waveform) / self.recipe.sample_rate
            for stage, seconds in audio.seconds.items():
                batch.seconds[stage] += seconds
            loaded.append(audio)
        started = time.perf_counter()
        if loaded:
            self._transform(batch, loaded)
        batch.seconds["compute"] += time.perf_counter() - started
        return batch

    def check(self, clip: ClipRef, source_sample_rate: int, n_samples: int) -> None:
        """Raise AudioError if a decoded clip cannot be transformed: another rate, or too short for a frame."""
        path, rate = self.recipe.stored_path(clip), self.recipe.sample_rate
        if not self.recipe.resample and source_sample_rate != rate:
            raise AudioError(
                path,
                "resample",
                f"its rate is {source_sample_rate} Hz, but the first clip's is {rate} Hz; "
                "set audio.sample_rate to resample all to one",
            )
        for transform in self.members:
            if transform.n_frames(n_samples) < 1:
                raise AudioError(
                    path,
                    "transform",
                    f"{n_samples} samples are too short for one frame of {transform.name}; set center: true",
                )

    def row(self, clip: ClipRef, source_sample_rate: int, n_samples: int) -> ClipRow:
        """Return what the shard holds of a clip beside its specgrams. Raises DatasetError for notes out of order."""
        return ClipRow(
            id=clip.id,
            path=self.recipe.stored_path(clip),
            source_sample_rate=source_sample_rate,
            n_samples=n_samples,
            labels=clip.labels,
            notes=self.dataset.read_notes(clip) if self.dataset.has_notes else None,
        )

    def _failure(self, clip: ClipRef, error: Exception) -> FailedClip:
        """Return the ledger's line for a clip that raised ``error``, or raise it where the clip is not to blame."""
        failure = failure_of(self.recipe.stored_path(clip), error)
        if failure is None:
            raise error
        return failure

    def _transform(self, batch: Batch, loaded: Sequence[LoadedClip]) -> None:
        """Fill in the specgrams of a batch; a clip that does not fit into memory becomes a failure."""
        with self._device_lock:
            computed = compute(self.transforms, self.device, [audio.waveform for audio in loaded])
        batch.specgrams = computed.specgrams
        if not all(computed.fits):
            fits = iter(computed.fits)
            batch.clips = [
                clip if isinstance(clip, FailedClip) or next(fits) else FailedClip(clip.path, "transform", NO_MEMORY)
                for clip in batch.clips
            ]


_latest: Converter | None = None


CPU = torch.device("cpu")


def converter_for(recipe: Recipe, device: torch.device = CPU) -> Converter:
    """Return the converter of a recipe on a device; the last one is kept, for building its transforms takes time."""
    global _latest
    if _latest is None or (_latest.recipe, _latest.device) != (recipe, device):
        _latest = Converter(recipe, device)
    return _latest


def _spec(recipe: Recipe, transform: Transform) -> SpecgramSpec:
    duration = recipe.audio.duration
    return SpecgramSpec(
        name=transform.name,
        n_bins=transform.n_bins,
        dtype="complex64" if transform.dtype == torch.complex64 else recipe.shards.dtype,
        axes=("frequency", "time"),
        sample_rate=recipe.sample_rate,
        hop_length=transform.hop_length,
        units=transform.units,
        parameters=json.dumps(transform.parameters_given.model_dump(mode="json")),
        center_frequencies=transform.center_frequencies,
        n_frames=None if duration is None else transform.n_frames(round(duration * recipe.sample_rate)),
    )
