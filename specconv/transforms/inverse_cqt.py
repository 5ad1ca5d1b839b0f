"""The inverse of ``type: cqt`` and ``vqt``, ``scale: complex``: least squares by conjugate gradients.

With A the transform and c the coefficients, the waveform x with the least ``Σ_k w_k |A x - c|²`` is found by
preconditioned conjugate gradients on A* W A (CGLS: M. R. Hestenes and E. Stiefel, "Methods of conjugate gradients for
solving linear systems", 1952). The weights w_k make that operator's response

    S(f) = 1/hop · Σ_k w_k (|H_k(f)|² + |H_k(-f)|²)

flat over the bins' band. Where the frame rate exceeds every kernel's bandwidth, A* W A is S(f) itself (the painless
case: I. Daubechies, A. Grossmann and Y. Meyer, "Painless nonorthogonal expansions", 1986), and dividing by it is the
inverse; else it starts the iterations well. N. Holighaus et al., "A framework for invertible, real-time constant-Q
transforms", 2013. What the bins do not hear, below the first and above the last, S(f) keeps out of the result.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from torch import Tensor

from specconv.engines.constant import Constant
from specconv.engines.threads import concatenated
from specconv.errors import Fault, ParameterError, SpecconvWarning
from specconv.kernels.bank import KernelBank
from specconv.kernels.spectrum import bank_spectra
from specconv.transforms.bank import BankParameters
from specconv.transforms.base import Transform
from specconv.transforms.inverse import Inverse

POINTS = 2**21  # coefficients or samples that are solved together: with their copies a quarter of a gigabyte
TOLERANCE = 1e-4  # of the kernels' spectra, for their summed response
SILENT = 0.1  # of the response's largest: what is heard less is not guessed


class InverseCqt(Inverse):
    """Waveforms of complex constant-Q or variable-Q coefficients. Not differentiable.

    iterations: at most. tolerance: a clip is done when its gradient has fallen to this share of the first.

    Between the first bin and the last the signal-to-noise ratio is above 30 dB where there are at least as many frames
    a second as bins are apart and as they are wide, in Hz. Measured with Hann windows: white noise 32 to 42 dB at this
    bound (36 to 12 bins an octave), 51 at 0.8 of it, 59 at 0.64, 67 at 0.3; noise that ends within the band 36 to 55,
    74, 95 and 100. float32 gives the same. Where the hop allows less, or the kernels leave gaps, a SpecconvWarning
    names the bin and the bound.
    """

    types = ("cqt", "vqt")
    scales = ("complex",)

    def __init__(self, transform: Transform, *, iterations: int = 50, tolerance: float = 1e-5) -> None:
        super().__init__(transform)
        if iterations < 1:
            raise ParameterError([Fault("iterations", f"is {iterations}; must be at least 1")])
        if not 0 <= tolerance < 1:
            raise ParameterError([Fault("tolerance", f"is {tolerance:g}; must be from 0 to below 1")])
        parameters = transform.parameters_given
        assert isinstance(parameters, BankParameters)
        self.iterations, self.tolerance, self.transform = iterations, tolerance, transform
        bank = parameters.bank(transform.sample_rate)
        weights, self._response = _responses(bank, self.hop_length)
        self._weights = Constant(np.sqrt(weights)[:, None])
        self._longest_kernel = int(bank.lengths.max())
        _warn_of_losses(bank, self.hop_length, self._response)

    def unknown_length(self, shortest: int, longest: int) -> int:
        """A clip that ends earlier is one that ends in silence, if that is what is beyond it."""
        return longest if self.transform.front.pad_mode == "constant" else shortest

    @torch.inference_mode(mode=False)
    @torch.no_grad()
    def inverted(self, specgram: Tensor, n_samples: int) -> Tensor:
        clips = max(1, POINTS // max(specgram[0].numel(), n_samples))
        return concatenated(lambda part: self._solved(part, n_samples), specgram, clips)

    def _solved(self, specgrams: Tensor, n_samples: int) -> Tensor:
        """Clips that are done stand still, so that none depends on how long its neighbours take."""
        residual = specgrams * self._weights.like(specgrams.real)
        adjoint = self._adjoint(residual, n_samples)
        precondition = self._preconditioner(residual, n_samples)
        waveforms = residual.real.new_zeros(len(residual), n_samples)
        gradient = adjoint(residual)
        direction = precondition(gradient)
        size = first = _dot(gradient, direction)
        for _ in range(self.iterations):
            working = ~(size <= self.tolerance**2 * first)
            if not working.any():
                break
            seen = self._weighted(direction)
            step = _ratio(size, _dot(seen, seen), working)
            waveforms += step[:, None] * direction
            residual = residual - step[:, None, None] * seen
            gradient = adjoint(residual)
            improved = precondition(gradient)
            following = _dot(gradient, improved)
            direction = improved + _ratio(following, size, working)[:, None] * direction
            size = torch.where(working, following, size)
        return waveforms

    def _weighted(self, waveforms: Tensor) -> Tensor:
        coefficients: Tensor = self.transform(waveforms)
        return coefficients * self._weights.like(waveforms)

    def _adjoint(self, like: Tensor, n_samples: int) -> Callable[[Tensor], Tensor]:
        """The transpose of the transform, whatever its engine and padding: what it is differentiated by."""
        nothing = like.real.new_zeros(len(like), n_samples).requires_grad_()
        with torch.enable_grad():
            seen = self._weighted(nothing)

        def adjoint(coefficients: Tensor) -> Tensor:
            (waveforms,) = torch.autograd.grad(seen, nothing, coefficients, retain_graph=True)
            return waveforms

        return adjoint

    def _preconditioner(self, like: Tensor, n_samples: int) -> Callable[[Tensor], Tensor]:
        """Waveforms divided by the response where it is heard, and silenced where not."""
        n_fft = int(next_fast_len(n_samples + min(n_samples, self._longest_kernel), real=True))
        cycles = np.arange(n_fft // 2 + 1) / n_fft
        response = np.interp(cycles, np.linspace(0, 0.5, len(self._response)), self._response)
        loudest = self._response.max()
        factors = torch.from_numpy(response / (response**2 + (SILENT * loudest) ** 2)).to(like.real)

        def precondition(waveforms: Tensor) -> Tensor:
            filtered: Tensor = torch.fft.irfft(torch.fft.rfft(waveforms, n_fft) * factors, n_fft)
            return filtered[:, :n_samples]

        return precondition


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """One real number a clip."""
    product: Tensor = torch.linalg.vecdot(a.flatten(1), b.flatten(1))
    return product.real


def _ratio(a: Tensor, b: Tensor, where: Tensor) -> Tensor:
    """``a / b``, and 0 elsewhere."""
    return torch.where(where & (b != 0), a / b, 0.0)


def _responses(bank: KernelBank, hop_length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The bins' weights ``(n_bins,)``, and S(f) from 0 Hz to half the sample rate, both ends included."""
    n_points = 4 * int(bank.lengths.max())
    n_points += n_points % 2
    spectra = bank_spectra(bank, n_points, TOLERANCE)
    energies = np.abs(spectra.values) ** 2
    ends = np.cumsum(spectra.counts)
    peaks = np.maximum.reduceat(energies, ends - spectra.counts)
    weights = _spacings(bank) * bank.lengths / bank.sample_rate / peaks
    whole = np.zeros(n_points)
    for first, count, end, weight in zip(spectra.firsts, spectra.counts, ends, weights, strict=True):
        np.add.at(whole, np.arange(first, first + count) % n_points, weight * energies[end - count : end])
    response: NDArray[np.float64] = (whole + np.roll(whole[::-1], 1))[: n_points // 2 + 1] / hop_length
    return weights, response


def _spacings(bank: KernelBank) -> NDArray[np.float64]:
    """How far apart the bins stand, Hz; the bandwidth of a single one."""
    if bank.n_bins == 1:
        return bank.sample_rate / bank.lengths
    spacings: NDArray[np.float64] = np.gradient(bank.center_frequencies)
    return spacings


def _warn_of_losses(bank: KernelBank, hop_length: int, response: NDArray[np.float64]) -> None:
    frequencies, spacings, bandwidths = bank.center_frequencies, _spacings(bank), bank.sample_rate / bank.lengths
    frame_rate, needed = bank.sample_rate / hop_length, np.maximum(spacings, bandwidths)
    if len(lost := np.flatnonzero(needed > frame_rate)):
        k = lost[0]
        warnings.warn(
            f"hop_length {hop_length} gives {frame_rate:.4g} frames a second, too few for bins from {k} on: at "
            f"{frequencies[k]:.4g} Hz they stand {spacings[k]:.4g} Hz apart with a bandwidth of {bandwidths[k]:.4g} "
            f"Hz, and what lies there comes back with less than 30 dB; hop_length is at most "
            f"{int(bank.sample_rate / needed.max())} for all bins",
            SpecconvWarning,
            stacklevel=3,
        )
    first, last = frequencies[[0, -1]] / (bank.sample_rate / 2) * (len(response) - 1)
    within = response[round(first) : round(last) + 1]
    if within.min() < SILENT * response.max():
        hertz = (round(first) + int(within.argmin())) / (len(response) - 1) * bank.sample_rate / 2
        k = int(np.argmin(np.abs(frequencies - hertz)))
        warnings.warn(
            f"the kernels leave gaps: at {hertz:.4g} Hz bins stand {spacings[k]:.4g} Hz apart with a bandwidth of "
            f"{bandwidths[k]:.4g} Hz, and what lies between them is lost; raise bins_per_octave or lower filter_scale",
            SpecconvWarning,
            stacklevel=3,
        )
