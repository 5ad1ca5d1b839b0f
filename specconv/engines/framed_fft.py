"""The fft engine of uniform bins: window the frames, take a real FFT.

On a CPU a long chain of operations over the whole spectrum is bound by memory, and torch.stft allocates
it several times. Here a block of frames goes through window, FFT and everything after it while it stays in the
second-level cache; what leaves is only the finished specgram.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from torch import Tensor, nn

from specconv.engines.coefficients import DenseCoefficients
from specconv.engines.constant import Constant
from specconv.engines.fourier import rfft
from specconv.engines.front import Block, one_by_one
from specconv.engines.memory import keep_freed_memory
from specconv.engines.padding import Padded, PadMode, extended
from specconv.kernels.windows import WindowSpec, window

# Points of FFTs (frames times n_fft) that go through the chain together: 2^19 float32 with their spectrum are 4 MB,
# which stay in a core's caches; on a GPU, where launches cost and caches do not matter, 2^25 with everything after it
# stay below half a gigabyte.
CPU_BLOCK = 2**19
GPU_BLOCK = 2**25


@dataclass(frozen=True, slots=True)
class Framing:
    """How a waveform is cut into frames.

    n_fft, win_length, hop_length: samples; window: periodic, centred in the frame when shorter.
    center: frame t is centred on ``t · hop_length``, else it starts there.
    window_first: a shorter window lies at the start of the frame, and must fit into the clip alone (uncentred frames).
    """

    n_fft: int
    hop_length: int
    win_length: int
    window: WindowSpec
    center: bool
    pad_mode: PadMode
    window_first: bool = False

    @property
    def window_start(self) -> int:
        """Samples of a frame before its window."""
        return 0 if self.window_first else (self.n_fft - self.win_length) // 2

    @property
    def left(self) -> int:
        """Samples of a frame before its time ``t · hop_length``."""
        return self.n_fft // 2 if self.center else 0

    def n_frames(self, n_samples: int) -> int:
        """Frames that fit into the (padded) clip: ``1 + n // hop`` centred, for an even n_fft."""
        usable = n_samples + 2 * self.left - (self.win_length if self.window_first else self.n_fft)
        return 1 + usable // self.hop_length if usable >= 0 else 0


class FramedSpectrum(nn.Module):
    """Front of every transform over a short-time Fourier spectrum; blocks of DenseCoefficients."""

    def __init__(self, framing: Framing) -> None:
        super().__init__()
        self.framing, self.pad_mode = framing, framing.pad_mode
        before, after = framing.window_start, framing.n_fft - framing.win_length - framing.window_start
        self.window = Constant(np.pad(window(framing.window, framing.win_length), (before, after)))

    @property
    def key(self) -> Hashable:
        return self.framing

    @property
    def points(self) -> int:
        """Of a frame's FFT."""
        return self.framing.n_fft

    def n_frames(self, n_samples: int) -> int:
        return self.framing.n_frames(n_samples)

    def samples(self, frames: range, n_frames: int) -> range:  # noqa: ARG002
        first = frames.start * self.framing.hop_length - self.framing.left
        return range(first, first + (len(frames) - 1) * self.framing.hop_length + self.framing.n_fft)

    def grid(self, n_frames: int) -> None:  # noqa: ARG002
        """Frames know nothing of each other."""
        return

    def together(self, n_frames: int) -> int:
        return one_by_one(n_frames)

    def blocks(
        self,
        signal: Padded,
        frames: range,
        *,
        whole: bool,
        together: Callable[[int], int] = one_by_one,  # noqa: ARG002
    ) -> Iterator[Block]:
        """Blocks that compute the spectra ``(n_clips, n_fft // 2 + 1, n_frames)``."""
        keep_freed_memory()
        n_clips = len(signal.waveforms)
        if whole:
            yield self._block(signal, slice(0, n_clips), frames)
            return
        block = max(1, (CPU_BLOCK if signal.waveforms.device.type == "cpu" else GPU_BLOCK) // self.points)
        for alike in self._alike(signal.lengths, block):
            lengths = signal.lengths[alike]
            own = range(frames.start, min(frames.stop, self.n_frames(max(lengths))))
            within = self._within(min(lengths), own)
            for some in (range(own.start, within.start), within, range(within.stop, own.stop)):
                for rows, part in _tiles(alike, some, block):
                    yield self._block(signal, rows, part)

    def whole(self, waveforms: Tensor) -> Any:
        left = self.framing.left
        framed = extended(waveforms, left, left, self.pad_mode).unfold(-1, self.framing.n_fft, self.framing.hop_length)
        return self.coefficients(framed * self.window.like(framed))

    def _alike(self, lengths: Sequence[int], block: int) -> Iterator[slice]:
        """Runs of clips whose frames are cut alike: of one length, or all if they are short beside a block.

        Of the frames that some clip does not have, those of the others are copied and its own come to nothing.
        """
        if 8 * self.n_frames(max(lengths)) <= block:
            yield slice(0, len(lengths))
            return
        start = 0
        for _, run in groupby(lengths):
            stop = start + len(list(run))
            yield slice(start, stop)
            start = stop

    def _block(self, signal: Padded, rows: slice, frames: range) -> Block:
        return Block(rows, slice(frames.start, frames.stop), partial(self._spectra, signal, rows, frames))

    def _spectra(self, signal: Padded, rows: slice, frames: range) -> Any:
        samples = self.samples(frames, 0)
        framed = signal.read(rows, samples.start, samples.stop).unfold(-1, self.framing.n_fft, self.framing.hop_length)
        return self.coefficients(framed * self.window.like(framed))

    def coefficients(self, windowed: Tensor) -> Any:
        """What a block holds of windowed frames ``(n_clips, n_frames, n_fft)``."""
        return DenseCoefficients(rfft(windowed).transpose(1, 2))

    def _within(self, n_samples: int, frames: range) -> range:
        """Those of ``frames`` that no end of a clip touches: nearly all, and views of the waveforms."""
        hop, left = self.framing.hop_length, self.framing.left
        first = min(max(-(-left // hop), frames.start), frames.stop)
        return range(first, max(first, min((n_samples + left - self.framing.n_fft) // hop + 1, frames.stop)))


def _tiles(clips: slice, frames: range, block_frames: int) -> Iterator[tuple[slice, range]]:
    """Cut clips × frames into tiles of about ``block_frames`` frames: several short clips, or parts of a long one."""
    if not frames:
        return
    together = max(1, block_frames // len(frames))
    parts = -(-len(frames) // block_frames)
    length = -(-len(frames) // parts)
    for clip in range(clips.start, clips.stop, together):
        for first in range(frames.start, frames.stop, length):
            yield slice(clip, min(clip + together, clips.stop)), range(first, min(first + length, frames.stop))
