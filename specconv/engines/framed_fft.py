"""The fft engine of uniform bins: window the frames, take a real FFT.

On a CPU a long chain of operations over the whole spectrum is bound by memory, and torch.stft allocates
it several times. Here a block of frames goes through window, FFT and everything after it while it stays in the
second-level cache; what leaves is only the finished specgram.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
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
# Samples of waveform that are padded together, so that the ends of many short clips are handled at once.
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
        hop, n_fft = self.framing.hop_length, self.framing.n_fft
        n_clips = len(signal.waveforms)
        clips, padded_frames, block_frames = n_clips, len(frames), n_clips * len(frames)
        if not whole:
            block_size = CPU_BLOCK if signal.waveforms.device.type == "cpu" else GPU_BLOCK
            padded_frames = max(1, min(len(frames), PADDED_SAMPLES // hop))
            clips = max(1, PADDED_SAMPLES // (padded_frames * hop + n_fft))
            block_frames = max(1, block_size // n_fft)
        for first_clip in range(0, n_clips, clips):
            rows = slice(first_clip, min(first_clip + clips, n_clips))
            for first in range(frames.start, frames.stop, padded_frames):
                stop = min(first + padded_frames, frames.stop)
                start = first * hop - self.framing.left
                stretch = signal.read(rows, start, start + (stop - first - 1) * hop + n_fft)
                framed = stretch.unfold(-1, n_fft, hop)
                weights = self.window.like(stretch)
                for clip_rows, part in _tiles(rows, stop - first, block_frames):
                    inside = slice(clip_rows.start - rows.start, clip_rows.stop - rows.start)
                    where = slice(first + part.start, first + part.stop)
                    yield Block(clip_rows, where, self.coefficients(framed[inside, part], weights))

    def coefficients(self, frames: Tensor, weights: Tensor) -> Any:
        """What a block holds of frames ``(n_clips, n_frames, n_fft)`` and the window."""
        return DenseCoefficients(torch.fft.rfft(frames * weights).transpose(1, 2))


def _tiles(rows: slice, n_frames: int, block_frames: int) -> Iterator[tuple[slice, slice]]:
    """Cut clips × frames into tiles of about ``block_frames`` frames: several short clips, or parts of a long one."""
    clips = max(1, block_frames // n_frames)
    parts = -(-n_frames // block_frames)
    length = -(-n_frames // parts)
    for clip in range(rows.start, rows.stop, clips):
        for first in range(0, n_frames, length):
            yield slice(clip, min(clip + clips, rows.stop)), slice(first, min(first + length, n_frames))
