"""The conv1d engine: kernels slid along waveforms by strided convolution, the definition itself.

The method of nnAudio (Cheuk, Anderson, Agres, Herremans, 2020) and Kapre (Choi, Joo, Kim, 2017): kernels are weights,
and so can be trained. Bins of similar length are convolved together, so that short kernels do not pay for long ones.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from specconv.engines.coefficients import DenseCoefficients
from specconv.engines.constant import Constant
from specconv.engines.front import Block, one_by_one
from specconv.engines.padding import Padded, PadMode, extended
from specconv.engines.precision import slide
from specconv.engines.product import framed_product
from specconv.engines.threads import is_plain, workers
from specconv.kernels.bank import KernelBank

TILE_SAMPLES = 2**20  # of waveforms that are convolved together: what bounds the memory of many or long clips
# Zeros that a group of kernels may be padded with, relative to the kernels: more bins together fill the machine's
# registers, at the price of multiplying zeros.
PADDING = 0.2
# A sum of so many products in float32 is exact to about 1e-6 of the peak; longer kernels are summed in parts.
LONGEST_SUM = 2**10


@dataclass(frozen=True, slots=True)
class PaddedWaveform:
    """Front of a `Conv1dBank`: tiles of waveforms with what their first and last frames reach beyond them.

    hop_length, left, right: samples; frame t needs ``t · hop_length - left … t · hop_length + right - 1``.
    beyond: samples that the last frame's time may lie beyond the clip's; negative for frames within the clip.
    """

    hop_length: int
    left: int
    right: int
    pad_mode: PadMode
    beyond: int = 0

    @property
    def key(self) -> Hashable:
        return self

    def n_frames(self, n_samples: int) -> int:
        return max(0, 1 + (n_samples + self.beyond) // self.hop_length)

    def samples(self, frames: range, n_frames: int) -> range:  # noqa: ARG002
        first, last = frames.start * self.hop_length, (frames.stop - 1) * self.hop_length
        return range(first - self.left, last + self.right)

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
        """Blocks that compute waveforms ``(n_clips, (n_frames - 1) · hop_length + left + right)``."""
        n_clips = len(signal.lengths)
        clips, step = n_clips, len(frames)
        if not whole:
            tile = TILE_SAMPLES // (workers() if signal.waveforms.device.type == "cpu" else 1)
            step = min(len(frames), max(1, tile // self.hop_length))
            clips = max(1, tile // (step * self.hop_length + self.left + self.right))
        for first_clip in range(0, n_clips, clips):
            rows = slice(first_clip, min(first_clip + clips, n_clips))
            for first in range(frames.start, frames.stop, step):
                stop = min(first + step, frames.stop)
                start = first * self.hop_length - self.left
                end = (stop - 1) * self.hop_length + self.right
                yield Block(rows, slice(first, stop), partial(signal.read, rows, start, end))

    def whole(self, waveforms: Tensor) -> Tensor:
        return extended(waveforms, self.left, self.right + self.beyond, self.pad_mode)


class Conv1dBank(nn.Module):
    """A bank of kernels as weights of strided convolutions.

    trainable: the kernels are parameters, float32, ``(2 · n_bins, 1, n_samples)`` for each group of bins: real above
        imaginary parts of the conjugate kernels. Else they are constants of the precision of the audio.
    """

    def __init__(self, bank: KernelBank, hop_length: int, *, trainable: bool = False) -> None:
        super().__init__()
        self.hop_length, self.left, self.right = hop_length, bank.left, bank.right
        groups = [_group(bank, bins) for bins in _similar(bank.lengths)]
        self._offsets = [self.left - left for left, _ in groups]
        self._constants = [Constant(weights) for _, weights in groups] if not trainable else []
        self.kernels = nn.ParameterList(
            [nn.Parameter(torch.tensor(weights, dtype=torch.float32)) for _, weights in groups] if trainable else []
        )

    def front(self, pad_mode: PadMode, beyond: int = 0) -> PaddedWaveform:
        return PaddedWaveform(self.hop_length, self.left, self.right, pad_mode, beyond)

    def forward(self, padded: Tensor) -> DenseCoefficients:
        """Waveforms ``(n_clips, left + (n_frames - 1) · hop_length + right)`` to ``(n_clips, n_bins, n_frames)``."""
        weights = [c.like(padded) for c in self._constants] or [k.to(padded.dtype) for k in self.kernels]
        if is_plain(padded, *weights):
            n_frames = 1 + (padded.shape[1] - self.left - self.right) // self.hop_length
            parts = [
                self._framed(padded[:, offset:], kernels[:, 0], n_frames)
                for offset, kernels in zip(self._offsets, weights, strict=True)
            ]
            return DenseCoefficients(torch.cat(parts, dim=2).transpose(1, 2))
        parts = [
            self._slid(padded, offset, kernels[:, 0]) for offset, kernels in zip(self._offsets, weights, strict=True)
        ]
        return DenseCoefficients(torch.cat(parts, dim=1))

    def _framed(self, waveforms: Tensor, kernels: Tensor, n_frames: int) -> Tensor:
        """One group, complex, ``(n_clips, n_frames, n_bins)``, with the same digits in any batch."""
        total: Tensor | None = None
        for start in range(0, kernels.shape[-1], LONGEST_SUM):
            part = kernels[:, start : start + LONGEST_SUM]
            frames = waveforms[:, start:].unfold(-1, part.shape[-1], self.hop_length)[:, :n_frames]
            values = framed_product(part, frames)
            total = values if total is None else total.add_(values)
        assert total is not None
        real, imaginary = total.chunk(2, dim=2)
        return torch.complex(real, imaginary)

    def _slid(self, padded: Tensor, offset: int, kernels: Tensor) -> Tensor:
        """One group, complex, from so many samples on; long kernels in parts, whose sums round less."""
        total: Tensor | None = None
        for start in range(0, kernels.shape[1], LONGEST_SUM):
            part = kernels[:, start : start + LONGEST_SUM]
            first = offset + start
            # What the frames are longer than the kernels is cut off, so that each part gives the same frames.
            after = self.left + self.right - first - part.shape[1]
            values = slide(padded[:, first : padded.shape[1] - after], part, self.hop_length)
            total = values if total is None else total + values
        assert total is not None
        real, imaginary = total.chunk(2, dim=1)
        return torch.complex(real, imaginary)


def _similar(lengths: NDArray[np.int64]) -> Iterator[slice]:
    """Runs of bins whose kernels are padded to the longest of them."""
    start = 0
    while start < len(lengths):
        end, longest, own = start, 0, 0
        while end < len(lengths):
            longest, own = max(longest, int(lengths[end])), own + int(lengths[end])
            if longest * (end + 1 - start) > (1 + PADDING) * own:
                break
            end += 1
        yield slice(start, end)
        start = end


def _group(bank: KernelBank, bins: slice) -> tuple[int, NDArray[np.float64]]:
    """Samples before the centre, and the conjugate kernels ``(2 · n_bins, 1, n_samples)``, real above imaginary."""
    left = int(np.max(-bank.starts[bins]))
    right = int(np.max(bank.starts[bins] + bank.lengths[bins]))
    kernels = np.zeros((bins.stop - bins.start, 1, left + right), dtype=np.complex128)
    for row, k in zip(kernels[:, 0], range(bins.start, bins.stop), strict=True):
        first = left + int(bank.starts[k])
        row[first : first + int(bank.lengths[k])] = bank.kernel(k).conj()
    return left, np.concatenate([kernels.real, kernels.imag])
