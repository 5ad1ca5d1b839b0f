"""The fft engine of uniform bins: window the frames, take a real FFT.

On a CPU a long chain of operations over the whole spectrum is bound by memory, and torch.stft allocates
it several times. Here a block of frames goes through window, FFT and everything after it while it stays in the
second-level cache; what leaves is only the finished specgram.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from specconv.engines.coefficients import DenseCoefficients
from specconv.engines.constant import Constant
from specconv.engines.front import Block
from specconv.engines.memory import keep_freed_memory
from specconv.engines.padding import Padded, PadMode
from specconv.kernels.windows import WindowSpec, window

# Samples of frames (frames times n_fft) that go through the chain together: 2^19 float32 with their spectrum are
# 4 MB, which stay in the caches of two cores; on a GPU, where launches cost and caches do not matter, 2^25 with
# everything after it stay below half a gigabyte.
CPU_BLOCK = 2**19
GPU_BLOCK = 2**25
# Samples of waveform that are copied together, so that the ends of many short clips are handled at once.
PADDED_SAMPLES = 2**20


@dataclass(frozen=True, slots=True)
class Framing:
    """How a waveform is cut into frames.

    n_fft, win_length, hop_length: samples; window: periodic, centred in the frame when shorter.
    center: frame t is centred on ``t · hop_length``, else it starts there.
    """

    n_fft: int
    hop_length: int
    win_length: int
    window: WindowSpec
    center: bool
    pad_mode: PadMode

    @property
    def left(self) -> int:
        """Samples of a frame before its time ``t · hop_length``."""
        return self.n_fft // 2 if self.center else 0

    def n_frames(self, n_samples: int) -> int:
        """Frames that fit into the (padded) clip: ``1 + n // hop`` centred, for an even n_fft."""
        usable = n_samples + 2 * self.left - self.n_fft
        return 1 + usable // self.hop_length if usable >= 0 else 0


class FramedSpectrum(nn.Module):
    """Front of every transform over a short-time Fourier spectrum; blocks of DenseCoefficients."""

    def __init__(self, framing: Framing) -> None:
        super().__init__()
        self.framing, self.pad_mode = framing, framing.pad_mode
        zeros = framing.n_fft - framing.win_length
        within = window(framing.window, framing.win_length)
        self.window = Constant(np.pad(within, (zeros // 2, zeros - zeros // 2)))

    @property
    def key(self) -> Hashable:
        return self.framing

    def n_frames(self, n_samples: int) -> int:
        return self.framing.n_frames(n_samples)

    def samples(self, frames: range, n_frames: int) -> range:  # noqa: ARG002
        first = frames.start * self.framing.hop_length - self.framing.left
        return range(first, first + (len(frames) - 1) * self.framing.hop_length + self.framing.n_fft)

    def grid(self, n_frames: int) -> None:  # noqa: ARG002
        """Frames know nothing of each other."""
        return

    def blocks(self, signal: Padded, frames: range, *, whole: bool) -> Iterator[Block]:
        """Blocks whose values are the spectra ``(n_clips, n_fft // 2 + 1, n_frames)``."""
        keep_freed_memory()
        n_fft, n_clips = self.framing.n_fft, len(signal.waveforms)
        if whole:
            clips, block_frames = n_clips, n_clips * len(frames)
        else:
            clips = max(1, PADDED_SAMPLES // self._at_an_end(signal, frames))
            block_frames = max(1, (CPU_BLOCK if signal.waveforms.device.type == "cpu" else GPU_BLOCK) // n_fft)
        weights = self.window.like(signal.waveforms)
        for first in range(0, n_clips, clips):
            rows = slice(first, min(first + clips, n_clips))
            stretches = list(self._stretches(signal, rows, frames))
            for tile_rows, part in _tiles(rows, len(frames), block_frames):
                inside = slice(tile_rows.start - rows.start, tile_rows.stop - rows.start)
                tile = slice(frames.start + part.start, frames.start + part.stop)
                yield Block(tile_rows, tile, self.coefficients(_windowed(stretches, inside, tile, weights)))

    def coefficients(self, windowed: Tensor) -> Any:
        """What a block holds of windowed frames ``(n_clips, n_frames, n_fft)``."""
        return DenseCoefficients(torch.fft.rfft(windowed).transpose(1, 2))

    def _stretches(self, signal: Padded, rows: slice, frames: range) -> Iterator[tuple[range, Tensor]]:
        """Frames ``(n_clips, n, n_fft)`` and their range: at the start, within every clip, and at the end.

        Those within, nearly all, are a view of the waveforms.
        """
        within = self._within(signal, frames)
        for some in (range(frames.start, within.start), within, range(within.stop, frames.stop)):
            if some:
                samples = self.samples(some, 0)
                stretch = signal.read(rows, samples.start, samples.stop)
                yield some, stretch.unfold(-1, self.framing.n_fft, self.framing.hop_length)

    def _within(self, signal: Padded, frames: range) -> range:
        """Those of ``frames`` that no clip's end touches."""
        hop, left = self.framing.hop_length, self.framing.left
        first = min(max(-(-left // hop), frames.start), frames.stop)
        return range(first, max(first, min((min(signal.lengths) + left - self.framing.n_fft) // hop + 1, frames.stop)))

    def _at_an_end(self, signal: Padded, frames: range) -> int:
        """Samples of a clip that are copied to stand beside what is beyond its ends."""
        within = self._within(signal, frames)
        return (len(frames) - len(within)) * self.framing.hop_length + 2 * self.framing.n_fft


def _windowed(stretches: Sequence[tuple[range, Tensor]], rows: slice, frames: slice, weights: Tensor) -> Tensor:
    """Frames of ``rows``, each times the window, ``(n_clips, n_frames, n_fft)``."""
    pieces = [
        stretch[rows, max(frames.start, some.start) - some.start : frames.stop - some.start]
        for some, stretch in stretches
        if some.start < frames.stop and frames.start < some.stop
    ]
    if len(pieces) == 1 or pieces[0].requires_grad or torch.compiler.is_compiling():
        return torch.cat(pieces, dim=1) * weights if len(pieces) > 1 else pieces[0] * weights
    windowed = weights.new_empty(len(pieces[0]), frames.stop - frames.start, len(weights))
    first = 0
    for piece in pieces:
        torch.mul(piece, weights, out=windowed[:, first : first + piece.shape[1]])
        first += piece.shape[1]
    return windowed


def _tiles(rows: slice, n_frames: int, block_frames: int) -> Iterator[tuple[slice, slice]]:
    """Cut clips × frames into tiles of about ``block_frames`` frames: several short clips, or parts of a long one."""
    clips = max(1, block_frames // n_frames)
    parts = -(-n_frames // block_frames)
    length = -(-n_frames // parts)
    for clip in range(rows.start, rows.stop, clips):
        for first in range(0, n_frames, length):
            yield slice(clip, min(clip + clips, rows.stop)), slice(first, min(first + length, n_frames))
