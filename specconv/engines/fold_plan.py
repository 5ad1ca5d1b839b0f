"""How a bank's bins are grouped for the fft engine, and the weights of each group.

Measured on one core, in nanoseconds for each bin and frame: folding took 3.5 for inverse FFT and magnitude and 0.11
to 0.15 for each period of the spectrum that the group occupies, three times that in groups of fewer than 16 bins; a
product of frames and kernels took 1 and 0.047 for each sample of the longest kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from specconv.engines.decimation import factor
from specconv.engines.ladder import Fold
from specconv.engines.long_fft import Stretch
from specconv.engines.precision import matmul
from specconv.engines.product import framed_product
from specconv.engines.threads import is_plain
from specconv.kernels.bank import KernelBank
from specconv.kernels.spectrum import bank_spectra, spectral_extents

# Waste, in multiply-adds for each point and clip, that takes as long as handling one group more.
GROUP_COST = 150
NARROWEST_GROUP = 16  # bins; matrix products with fewer columns are slow
WIDEST_GROUP = 64  # bins; a group's product, its inverse FFT and their squares stay in the cache
# A kernel of fewer samples than so many a period, and so many more, is cheaper as a plain product.
DIRECT_SAMPLES_A_PERIOD, DIRECT_SAMPLES = 3, 50
SMALL_PRODUCT = 400  # multiplications, below which torch does not ask the BLAS
FINEST_DECIMATED = 5e-7  # decimation keeps no finer tolerance


@dataclass(frozen=True, slots=True)
class FoldedGroup:
    """Neighbouring bins with similar spectra.

    bins: of the bank; periods: the stretch of spectrum that holds all of theirs; shared: the same for all groups of
        this fold, which are cut from one tensor; decimation: of the waveform before the long FFT.
    weights: ``conj(H_k) / hop``, complex ``(n_points, n_periods, n_bins)``.
    """

    bins: slice
    fold: Fold
    shared: range
    periods: range
    decimation: int
    weights: Tensor

    def frames(self, wanted: range) -> range:
        """The frames that come with the wanted ones: whole blocks, unless they lie in one."""
        blocks = self.fold.blocks(wanted)
        if len(blocks) == 1:
            return wanted
        return range(blocks.start * self.fold.n_frames, blocks.stop * self.fold.n_frames)

    def coefficients(self, stretch: Stretch) -> Tensor:
        """Complex ``(n_rows, n_bins, n_blocks, n_frames of a block)``."""
        points = stretch.periods(self.fold, self.shared, self.decimation)
        first = self.periods.start - self.shared.start
        folded = self._folded(points[:, :, first : first + len(self.periods)])
        own = self.frames(stretch.frames)
        start = self.fold.margin + own.start % self.fold.n_frames
        rows, n_blocks = stretch.n_rows, len(self.fold.blocks(stretch.frames))
        needed = rows * n_blocks
        if needed == folded.shape[2] == 1 < folded.shape[1]:
            needed = 2  # a lone FFT is computed by another path, too
        frames: Tensor = torch.fft.ifft(folded[:, :needed], dim=0)[start : start + min(len(own), self.fold.n_frames)]
        frames = frames[:, : rows * n_blocks]
        return frames.view(len(frames), rows, n_blocks, -1).permute(1, 3, 2, 0)

    def _folded(self, points: Tensor) -> Tensor:
        """``(n_points, n_rows, n_bins)``; a small product is padded, for torch computes it by another path."""
        n_rows, (_, n_periods, n_bins) = points.shape[1], self.weights.shape
        least = -(-SMALL_PRODUCT // (n_periods * n_bins))
        if n_rows < least and is_plain(points):
            points = F.pad(points, (0, 0, 0, least - n_rows))
        return matmul(points, self.weights)


@dataclass(frozen=True, slots=True)
class DirectGroup:
    """Neighbouring bins with kernels so short that the plain product is cheaper.

    bins: of the bank; left: samples of each frame before its centre.
    weights: real parts above imaginary parts of the conjugate kernels, real ``(2 · n_bins, n_samples)``.
    """

    bins: slice
    left: int
    weights: Tensor

    def frames(self, wanted: range) -> range:
        return wanted

    def coefficients(self, stretch: Stretch) -> Tensor:
        """Complex ``(n_rows, n_bins, 1, n_frames)``."""
        framed = stretch.framed(self.left, self.weights.shape[1])
        if is_plain(framed):
            real, imaginary = framed_product(self.weights, framed).chunk(2, dim=2)
            return torch.complex(real, imaginary).mT[:, :, None]
        parts = matmul(self.weights.expand(stretch.n_rows, -1, -1), framed.mT)
        real, imaginary = parts.chunk(2, dim=1)
        return torch.complex(real, imaginary)[:, :, None]


Group = FoldedGroup | DirectGroup


def groups(bank: KernelBank, folds: Sequence[Fold], tolerance: float, signal: Tensor) -> list[Group]:
    """Every bin of the bank in one group, in order; weights with the precision and on the device of ``signal``.

    folds: one for each bin.
    """
    made: list[Group] = []
    start = 0
    for fold, run in groupby(folds):
        stop = start + len(list(run))
        firsts, stops = _periods(bank, fold, tolerance, np.arange(start, stop))
        direct = bank.lengths[start:stop] < DIRECT_SAMPLES_A_PERIOD * (stops - firsts) + DIRECT_SAMPLES
        shared = _union(firsts[~direct], stops[~direct])
        decimation = _decimation(fold, shared, tolerance, signal)
        for is_direct, within in _cut(firsts, stops, direct):
            bins = slice(start + within.start, start + within.stop)
            if is_direct:
                made.append(_direct(bank, bins, signal))
            else:
                periods = _union(firsts[within], stops[within])
                weights = _weights(bank, bins, fold, periods, tolerance, signal)
                made.append(FoldedGroup(bins, fold, shared, periods, decimation, weights))
        start = stop
    return made


def _union(firsts: NDArray[np.int64], stops: NDArray[np.int64]) -> range:
    return range(int(firsts.min()), int(stops.max())) if len(firsts) else range(0)


def _decimation(fold: Fold, shared: range, tolerance: float, signal: Tensor) -> int:
    """On a GPU one large FFT is cheaper than filtering."""
    if tolerance < FINEST_DECIMATED or signal.device.type != "cpu":
        return 1
    return factor(max(-shared.start, shared.stop) / fold.hop_length, fold.n_fft, fold.step)


def _periods(
    bank: KernelBank, fold: Fold, tolerance: float, bins: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last (exclusive) period of the spectrum that each bin needs."""
    firsts, counts = spectral_extents(bank, fold.n_fft, tolerance, bins)
    return firsts // fold.n_points, -(-(firsts + counts) // fold.n_points)


def _cut(
    firsts: NDArray[np.int64], stops: NDArray[np.int64], direct: NDArray[np.bool_]
) -> Iterator[tuple[bool, slice]]:
    """Runs of bins that go together: until the periods that some bin does not need cost more than a new group."""
    start = 0
    while start < len(direct):
        first, stop, own, end = firsts[start], stops[start], 0, start
        while end < min(len(direct), start + WIDEST_GROUP) and direct[end] == direct[start]:
            first, stop = min(first, firsts[end]), max(stop, stops[end])
            own += stops[end] - firsts[end]
            waste = (stop - first) * (end + 1 - start) - own
            enough = min(end - start, len(direct) - end) >= NARROWEST_GROUP  # here and in what is left
            if waste > GROUP_COST and enough and not direct[start]:
                break
            end += 1
        yield bool(direct[start]), slice(start, end)
        start = end


def _weights(bank: KernelBank, bins: slice, fold: Fold, periods: range, tolerance: float, signal: Tensor) -> Tensor:
    n_bins = bins.stop - bins.start
    values = np.zeros((n_bins, len(periods) * fold.n_points), dtype=np.complex128)
    spectra = bank_spectra(bank, fold.n_fft, tolerance, np.arange(bins.start, bins.stop))
    end = 0
    for row, first, count in zip(values, spectra.firsts - periods.start * fold.n_points, spectra.counts, strict=True):
        start, end = end, end + count
        row[first : first + count] = spectra.values[start:end]
    np.conj(values, out=values)
    values /= fold.hop_length
    weights = torch.from_numpy(values).to(signal.dtype.to_complex()).view(n_bins, len(periods), fold.n_points)
    return weights.permute(2, 1, 0).contiguous().to(signal.device)


def _direct(bank: KernelBank, bins: slice, signal: Tensor) -> DirectGroup:
    left = int(np.max(-bank.starts[bins]))
    right = int(np.max(bank.starts[bins] + bank.lengths[bins]))
    kernels = np.zeros((bins.stop - bins.start, left + right), dtype=np.complex128)
    for row, k in zip(kernels, range(bins.start, bins.stop), strict=True):
        first = left + int(bank.starts[k])
        row[first : first + int(bank.lengths[k])] = bank.kernel(k).conj()
    weights = torch.from_numpy(np.concatenate([kernels.real, kernels.imag]))
    return DirectGroup(bins, left, weights.to(signal.dtype).to(signal.device))
