"""Writing the frames of one transform into ``values``: in whole chunks, each written once.

``FixedValues`` are clips of one length, ``RaggedValues`` clips of their own. Both take clips in batches, or
one long clip block by block, and can forget the clip begun last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from specconv.shards.layout import SpecgramSpec

Frames = NDArray[Any]


class Values(Protocol):
    """What the writer asks of the values of one transform."""

    def append(self, clips: Frames | Sequence[Frames]) -> None:
        """Append clips (n, n_bins, n_frames), or a list of (n_bins, n_frames), in the type that is stored."""

    def begin(self) -> None:
        """Begin one long clip."""

    def extend(self, block: Frames) -> None:
        """Append frames (n_bins, any) to the long clip."""

    def check(self) -> None:
        """Raise ValueError if the long clip has another number of frames than it must have."""

    def end(self) -> None:
        """End the long clip."""

    def forget(self) -> None:
        """Remove the long clip."""

    def finish(self) -> None:
        """Write what waits; nothing is appended any more."""


class _Stream:
    """Collects frames into whole chunks: the rest of a block waits for the next one."""

    def __init__(self, write: Callable[[int, Frames], None], chunk_frames: int) -> None:
        self._write, self._chunk = write, chunk_frames
        self._written = 0  # frames, a multiple of the chunk
        self._waiting: tuple[Frames, ...] = ()

    @property
    def n_frames(self) -> int:
        return self._written + int(sum(block.shape[1] for block in self._waiting))

    def extend(self, blocks: Sequence[Frames]) -> None:
        waiting = (*self._waiting, *blocks)
        n_frames = sum(block.shape[1] for block in waiting)
        whole = n_frames - n_frames % self._chunk
        if whole:
            joined = np.concatenate(waiting, axis=1)
            self._write(self._written, joined[:, :whole])
            self._written += whole
            waiting = (joined[:, whole:].copy(),)
        self._waiting = waiting

    def flush(self) -> None:
        if any(block.shape[1] for block in self._waiting):
            self._write(self._written, np.concatenate(self._waiting, axis=1))

    def mark(self) -> tuple[int, tuple[Frames, ...]]:
        return self._written, self._waiting

    def back_to(self, mark: tuple[int, tuple[Frames, ...]]) -> None:
        self._written, self._waiting = mark


class FixedValues:
    """``values`` (n_clips, n_bins, n_frames)."""

    def __init__(self, group: h5py.Group, spec: SpecgramSpec, filters: dict[str, Any]) -> None:
        assert spec.n_frames is not None
        self.n_clips = 0
        self._spec, self._n_frames = spec, spec.n_frames
        self._values = group.create_dataset(
            "values",
            shape=(0, spec.n_bins, spec.n_frames),
            maxshape=(None, spec.n_bins, spec.n_frames),
            chunks=spec.chunk,
            dtype=spec.dtype,
            track_times=False,
            **filters,
        )
        self._stream = self._new_stream()

    def append(self, clips: Frames | Sequence[Frames]) -> None:
        if len(clips):
            first, self.n_clips = self.n_clips, self.n_clips + len(clips)
            self._values.resize(self.n_clips, axis=0)
            self._values[first : self.n_clips] = clips if isinstance(clips, np.ndarray) else np.stack(clips)

    def begin(self) -> None:
        self._values.resize(self.n_clips + 1, axis=0)
        self._stream = self._new_stream()

    def extend(self, block: Frames) -> None:
        if self._stream.n_frames + block.shape[1] > self._n_frames:
            raise ValueError(f"{self._spec.name}: more frames than {self._n_frames}")
        self._stream.extend([block])

    def check(self) -> None:
        if self._stream.n_frames != self._n_frames:
            raise ValueError(f"{self._spec.name}: {self._stream.n_frames} frames, not {self._n_frames}")

    def end(self) -> None:
        self._stream.flush()
        self.n_clips += 1

    def forget(self) -> None:
        self._values.resize(self.n_clips, axis=0)

    def finish(self) -> None:
        pass

    def _new_stream(self) -> _Stream:
        row = self.n_clips

        def write(first: int, frames: Frames) -> None:
            self._values[row, :, first : first + frames.shape[1]] = frames

        return _Stream(write, self._spec.chunk[-1])


class RaggedValues:
    """``values`` (n_bins, all frames) and ``offsets`` (n_clips + 1,)."""

    def __init__(self, group: h5py.Group, spec: SpecgramSpec, filters: dict[str, Any]) -> None:
        self._group = group
        self._values = group.create_dataset(
            "values",
            shape=(spec.n_bins, 0),
            maxshape=(spec.n_bins, None),
            chunks=spec.chunk,
            dtype=spec.dtype,
            track_times=False,
            **filters,
        )
        self._offsets = [0]
        self._stream = _Stream(self._write, spec.chunk[-1])
        self._mark = self._stream.mark()

    @property
    def n_clips(self) -> int:
        return len(self._offsets) - 1

    def append(self, clips: Frames | Sequence[Frames]) -> None:
        self._stream.extend(list(clips))
        for clip in clips:
            self._offsets.append(self._offsets[-1] + clip.shape[1])

    def begin(self) -> None:
        self._mark = self._stream.mark()

    def extend(self, block: Frames) -> None:
        self._stream.extend([block])

    def check(self) -> None:
        pass

    def end(self) -> None:
        self._offsets.append(self._stream.n_frames)

    def forget(self) -> None:
        self._stream.back_to(self._mark)

    def finish(self) -> None:
        self._stream.flush()
        self._values.resize(self._offsets[-1], axis=1)  # a clip forgotten may have reached further
        self._group.create_dataset("offsets", data=np.asarray(self._offsets, np.int64), track_times=False)

    def _write(self, first: int, frames: Frames) -> None:
        last = first + frames.shape[1]
        if last > self._values.shape[1]:
            self._values.resize(last, axis=1)
        self._values[:, first:last] = frames
