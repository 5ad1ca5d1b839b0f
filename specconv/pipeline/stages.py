"""The stages between a list of clips and the rows of a shard, each an iterator over what the one before gives.

    decode_ahead   every clip in order, decoded by threads ahead of its use
    windows        clips of one shard that fit into memory together
    Computing      their specgrams, each clip's own frames

Decoding runs in threads, transforming where the iterator is pulled, writing elsewhere (see ``convert``).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from specconv.audio import LoadedClip, load, probe, similar_lengths
from specconv.datasets import ClipRef
from specconv.errors import AudioError, DatasetError
from specconv.pipeline.plan import Plan, ShardPlan
from specconv.pipeline.report import Failure
from specconv.transforms import TransformSet

Frames = NDArray[Any]

WINDOW_BYTES = 2**27  # waveforms and specgrams that are in memory together, a few times over
WINDOW_CLIPS = 256
AHEAD_BYTES = 2**26  # decoded waveforms that wait for their window
LEAST_LONG_FILE = 2**19  # bytes; no smaller file is worth a look at its header: at 64 kbit/s it lasts a minute
MOST_THREADS = 8  # that compute; each holds Python's lock for a few per cent of its time
PADDING_WASTE = 0.2  # of the samples of a batch, at most, where clips differ in length


@dataclass(frozen=True)
class Decoded:
    """A clip with its waveform, or why there is none; one too long for memory has neither and is streamed.

    source_sample_rate, n_samples: of the audio file, as far as it is used.
    """

    shard: ShardPlan
    clip: ClipRef
    audio: LoadedClip | None = None
    notes: NDArray[np.void] | None = None
    failure: Failure | None = None

    @property
    def is_long(self) -> bool:
        return self.audio is None and self.failure is None


@dataclass(frozen=True)
class Window:
    """Clips of one shard, in order: either a few with their waveforms (or failures), or a single long one."""

    shard: ShardPlan
    clips: list[Decoded]


def decode_ahead(plan: Plan, shards: Sequence[ShardPlan], workers: int) -> Iterator[Decoded]:
    """Every clip of ``shards`` in order, decoded, resampled and fitted by ``workers`` threads."""
    pending: deque[Future[Decoded]] = deque()
    lock, waiting = threading.Lock(), {"clips": 0, "bytes": 0}

    def count(decoded: Decoded, sign: int) -> None:
        with lock:
            waiting["clips"] += sign
            waiting["bytes"] += sign * (decoded.audio.waveform.nbytes if decoded.audio else 0)

    def decode(shard: ShardPlan, clip: ClipRef) -> Decoded:
        decoded = _decode(plan, shard, clip)
        count(decoded, 1)
        return decoded

    def full() -> bool:
        with lock:
            return waiting["bytes"] >= AHEAD_BYTES or len(pending) - waiting["clips"] >= 4 * workers

    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        for shard in shards:
            for clip in shard.clips:
                while pending and full():
                    decoded = pending.popleft().result()
                    count(decoded, -1)
                    yield decoded
                pending.append(pool.submit(decode, shard, clip))
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _decode(plan: Plan, shard: ShardPlan, clip: ClipRef) -> Decoded:
    path = plan.stored_path(clip)
    try:
        notes = plan.listing.dataset.read_notes(clip) if plan.listing.dataset.has_notes else None
        if _is_long(plan, clip):
            return Decoded(shard, clip, notes=notes)
        audio = load(clip.path, plan.audio_format)
        plan.check_clip(clip, audio.source_sample_rate, len(audio.waveform))
    except AudioError as error:
        return Decoded(shard, clip, failure=Failure(path, error.stage, error.reason))
    except DatasetError as error:
        return Decoded(shard, clip, failure=Failure(path, "labels", str(error)))
    except MemoryError:
        return Decoded(shard, clip, failure=Failure(path, "decode", "does not fit into memory"))
    return Decoded(shard, clip, audio, notes)


def _is_long(plan: Plan, clip: ClipRef) -> bool:
    """Whether the clip with its specgrams is too much for memory."""
    if plan.audio_format.duration is not None:
        return False
    try:
        if clip.path.stat().st_size < LEAST_LONG_FILE:
            return False
    except OSError:
        return False  # decoding finds out why
    info = probe(clip.path)
    return round(info.n_samples / info.sample_rate * plan.sample_rate) >= plan.long_samples


def windows(plan: Plan, decoded: Iterable[Decoded]) -> Iterator[Window]:
    """Group consecutive clips of a shard whose waveforms and specgrams stay below WINDOW_BYTES."""
    clips: list[Decoded] = []
    size = 0
    for item in decoded:
        needed = plan.memory_of(len(item.audio.waveform)) if item.audio else 0
        full = size + needed > WINDOW_BYTES or len(clips) >= WINDOW_CLIPS or item.is_long
        if clips and (full or clips[0].shard is not item.shard or clips[0].is_long):
            yield Window(clips[0].shard, clips)
            clips, size = [], 0
        clips.append(item)
        size += needed
    if clips:
        yield Window(clips[0].shard, clips)


class Computing:
    """Transforms windows of clips; on a CPU several threads each take a share of the clips.

    Within an operation torch's own threads wait for each other many times a millisecond, and on a machine that does
    other things (decoding, writing) they wait long. Threads that each follow their own clips do not wait: while the
    context is open torch gives each operation but its share of the cores.
    """

    def __init__(self, transforms: TransformSet, device: torch.device) -> None:
        self._transforms = transforms.to(device).eval()
        self.device = device
        cores = torch.get_num_threads()
        self._shares = min(cores, MOST_THREADS) if device.type == "cpu" else 1
        self._cores = cores
        self._pool = ThreadPoolExecutor(self._shares, thread_name_prefix="compute")

    def __enter__(self) -> Computing:
        torch.set_num_threads(max(1, self._cores // self._shares))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(self._cores)

    @contextmanager
    def all_cores(self) -> Iterator[None]:
        """While one recording is worked on alone, its operations have all the cores."""
        torch.set_num_threads(self._cores)
        try:
            yield
        finally:
            torch.set_num_threads(max(1, self._cores // self._shares))

    def __call__(self, waveforms: Sequence[torch.Tensor]) -> dict[str, list[Frames]]:
        """Specgrams of clips of any lengths: for each transform one array ``(n_bins, n_frames)`` a clip, in order.

        Clips of similar length are computed together; that changes none of their numbers. A device that runs out of
        memory is given half as many at a time.
        """
        lengths = [len(waveform) for waveform in waveforms]
        found: dict[str, list[Any]] = {name: [None] * len(lengths) for name in self._transforms.by_name}
        groups = [list(range(len(lengths)))]
        if len(set(lengths)) > 1:
            groups = similar_lengths(lengths, PADDING_WASTE, 2 * sum(lengths))
        shares = [share for group in groups for i in range(self._shares) if (share := group[i :: self._shares])]
        alone = len(shares) == 1
        with self.all_cores() if alone else nullcontext():  # which are this thread's, not those of the pool
            for part in (map if alone else self._pool.map)(lambda share: self._share(waveforms, share), shares):
                for name, rows in part.items():
                    for i, values in rows:
                        found[name][i] = values
        return found

    def _share(self, waveforms: Sequence[torch.Tensor], share: list[int]) -> dict[str, list[tuple[int, Frames]]]:
        try:
            specgrams = self._batch([waveforms[i] for i in share])
        except torch.OutOfMemoryError:
            if len(share) == 1:
                raise
            halves = [self._share(waveforms, half) for half in (share[::2], share[1::2])]
            return {name: rows + halves[1][name] for name, rows in halves[0].items()}
        frames = {name: transform.n_frames for name, transform in self._transforms.by_name.items()}
        return {
            name: [(i, values[row, :, : frames[name](len(waveforms[i]))]) for row, i in enumerate(share)]
            for name, values in specgrams.items()
        }

    def _batch(self, waveforms: list[torch.Tensor]) -> dict[str, Frames]:
        lengths = [len(waveform) for waveform in waveforms]
        if len(set(lengths)) == 1:
            batch, own = torch.stack(waveforms), None
        else:
            batch, own = torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True), lengths
        with torch.inference_mode():
            specgrams = self._transforms(batch.to(self.device), own)
            return {name: values.cpu().numpy() for name, values in specgrams.items()}
