"""Combined frequency and periodicity (CFP): what a spectrum and its cepstrum agree on is a pitch.

L. Su and Y.-H. Yang, "Combining spectral and temporal representations for multipitch estimation of polyphonic
music", 2015. With X the spectrum of a frame under the window w, F the Fourier transform and [x] the part above zero,

    spectrum    Z0 = (|X| / ‖w‖) ^ gamma_0                    peaks at a pitch and its harmonics
    cepstrum    Z1 = [F Z0] ^ gamma_1, without its lowest     peaks at a period and its multiples: subharmonics
    spectrum    Z2 = [F Z1] ^ gamma_2                         Z0 again, freed of its envelope
    CFP         (Z2 over log frequency) · (Z1 over log frequency)

harmonics are absent from the one and subharmonics from the other, so the product keeps the pitch.

It is computed in float64, whatever the precision of the waveform. The exponents below 1 bring up what lies between the
partials: float32 rounds a spectrum to 1e-7 of its peak, and ``1e-7 ^ 0.24`` is 2 % of it, so a steady tone in float32
is off by up to 1 % of the CFP's peak. For the same reason values below SILENT are taken for rounding, and are zero.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from specconv.engines.coefficients import Coefficients
from specconv.engines.constant import Constant
from specconv.engines.float64 import Float64Front, Float64Steps
from specconv.engines.fourier import irfft
from specconv.engines.framed_fft import FramedSpectrum, Framing
from specconv.engines.pointwise import power
from specconv.engines.product import product
from specconv.errors import Fault, ParameterError
from specconv.kernels.band import band_faults
from specconv.kernels.cfp import CfpWeights, cfp_weights
from specconv.kernels.windows import WindowSpec, window
from specconv.transforms.base import Analysis, Transform
from specconv.transforms.framed import LARGEST_N_FFT, FramedParameters

SILENT = 1e-13  # of a frame's largest magnitude, or cepstrum: -260 dB, what float64 leaves of an exact zero


class CfpParameters(FramedParameters):
    """Parameters of ``type: cfp``: those of the frames, and

    f_min, f_max: Hz; bins_per_octave: ``f_min · 2^(i / bins_per_octave)`` below f_max.
    gamma_0, gamma_1, gamma_2: exponents of the spectrum, the cepstrum and the spectrum of the cepstrum.
    scale: magnitude (as published), decibel or log of it.

    resolution: Hz from bin to bin of the spectrum; if given, n_fft is ``sample_rate / resolution``, rounded down.

    At 44.1 kHz 8192 samples are 186 ms, the paper's window. parity nnaudio: its window is symmetric, so only engine
    fft has it; its first bin is empty; resolution is 2 Hz where n_fft is not given.
    """

    PARITY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "nnaudio": {"win_length": 2049, "hop_length": 320, "pad_mode": "constant", "resolution": 2.0},
    }

    type: Literal["cfp"] = "cfp"
    scale: Literal["magnitude", "decibel", "log"] = "magnitude"
    n_fft: int = Field(8192, ge=4, le=LARGEST_N_FFT)
    resolution: float | None = Field(None, gt=0)
    window: WindowSpec = "blackmanharris"
    f_min: float = Field(80.0, gt=0)
    f_max: float = Field(1000.0, gt=0)
    bins_per_octave: int = Field(48, ge=1, le=2**12)
    gamma_0: float = Field(0.24, gt=0, le=4)
    gamma_1: float = Field(0.6, gt=0, le=4)
    gamma_2: float = Field(1.0, gt=0, le=4)

    @model_validator(mode="before")
    @classmethod
    def _n_fft_is_a_resolution(cls, given: Any) -> Any:
        """An n_fft that is given leaves no resolution to the library."""
        return {"resolution": None, **given} if isinstance(given, Mapping) and "n_fft" in given else given

    def at(self, sample_rate: float) -> CfpParameters:
        if self.resolution is None:
            return self
        return self.model_copy(update={"n_fft": int(sample_rate / self.resolution)})

    def faults(self, sample_rate: float) -> Iterator[Fault]:
        if (resolved := self.at(sample_rate)).n_fft != self.n_fft:
            if resolved.n_fft <= LARGEST_N_FFT:
                yield from resolved.faults(sample_rate)
            else:
                lowest = sample_rate / LARGEST_N_FFT
                yield Fault("resolution", f"is {self.resolution:g} Hz; at least {lowest:.2g} Hz is possible: raise it")
            return
        yield from super().faults(sample_rate)
        if self.parity == "nnaudio" and self.engine == "conv1d":
            yield _only_fft("engine")
        if wrong := list(band_faults(sample_rate, self.f_min, self.f_max, in_octaves=True)):
            yield from wrong
            return
        n_bins = math.ceil(self.bins_per_octave * math.log2(self.f_max / self.f_min))
        if wrong := list(self.projection_faults("bins_per_octave", n_bins)):
            yield from wrong
            return
        try:
            self.weights(sample_rate)
        except ParameterError as error:
            yield from error.faults

    def weights(self, sample_rate: float) -> CfpWeights:
        return cfp_weights(
            sample_rate,
            self.n_fft,
            f_min=self.f_min,
            f_max=self.f_max,
            bins_per_octave=self.bins_per_octave,
            resolution=self.resolution if self.parity == "nnaudio" else None,
            parity="nnaudio" if self.parity == "nnaudio" else None,
        )

    def uniform_analysis(self, sample_rate: float, *, trainable: bool) -> Analysis:
        if self.parity != "nnaudio":
            return super().uniform_analysis(sample_rate, trainable=trainable)
        if self.engine_for(trainable) == "conv1d":
            raise ParameterError([_only_fft("parity")])
        front = _SymmetricallyWindowed(self.framing)
        return Analysis(front, front)

    def make(self, sample_rate: float, *, trainable: bool) -> Transform:
        weights = self.weights(sample_rate)
        as_nnaudio = self.parity == "nnaudio"
        first_seen = int(np.argmax(weights.quefrency.any(axis=0)))
        lowest = round(sample_rate / self.f_max) if as_nnaudio else first_seen
        combined = CombinedPeriodicity(
            self.n_fft,
            float(np.linalg.norm(window(self.window, self.framing.win_length, periodic=not as_nnaudio))),
            (self.gamma_0, self.gamma_1, self.gamma_2),
            lowest,
            weights,
            halved=lowest if as_nnaudio else None,
            trainable=trainable,
        )
        analysis = self.uniform_analysis(sample_rate, trainable=trainable)
        front = Float64Front(analysis.front)
        return Transform(
            self,
            Analysis(front, analysis.reach),
            [Float64Steps(*analysis.steps, combined), *self.level("magnitude")],
            sample_rate=sample_rate,
            hop_length=self.framing.hop_length,
            center_frequencies=weights.center_frequencies,
        )


class CombinedPeriodicity(nn.Module):
    """Spectra of frames, ``(n_clips, n_fft // 2 + 1, n_frames)``, to CFP ``(n_clips, n_bins, n_frames)``.

    level: what magnitudes are divided by. lowest: quefrencies below so many samples are the spectrum's envelope.
    halved: the quefrency that is there at its positive place only (nnAudio's cut is not symmetric).
    """

    def __init__(
        self,
        n_fft: int,
        level: float,
        gammas: tuple[float, float, float],
        lowest: int,
        weights: CfpWeights,
        *,
        halved: int | None,
        trainable: bool,
    ) -> None:
        super().__init__()
        self.n_fft, self.gammas, self.lowest, self.halved = n_fft, gammas, lowest, halved
        self._factor = level ** -gammas[0]
        maps = (weights.frequency, weights.quefrency)
        self._fixed = [Constant(values) for values in maps]
        self.maps = nn.ParameterList(
            [torch.tensor(values, dtype=torch.float32) for values in maps] if trainable else []
        )

    def forward(self, coefficients: Coefficients) -> Tensor:
        parts = torch.view_as_real(coefficients.complex.transpose(1, 2))
        squares = parts * parts
        energy = squares[..., 0] + squares[..., 1]  # (n_clips, n_frames, n_fft // 2 + 1), each frame in one piece
        spectrum = _above_zero(_heard(energy, SILENT**2), self.gammas[0] / 2) * self._factor
        cepstrum = _above_zero(_heard(self._transformed(spectrum), SILENT), self.gammas[1])
        cepstrum[..., : self.lowest] = 0
        refined = self._transformed(self._both_sides(cepstrum))
        frequency, quefrency = (
            values.to(energy) for values in (self.maps or [fixed.like(energy) for fixed in self._fixed])
        )
        refined = _above_zero(refined[..., : frequency.shape[1]], self.gammas[2])
        by_frequency = product(frequency, refined.transpose(1, 2))
        return by_frequency * product(quefrency, cepstrum[..., : quefrency.shape[1]].transpose(1, 2))

    def _transformed(self, half: Tensor) -> Tensor:
        """The unitary Fourier transform of real, even values: real and even too, so half of them say all."""
        return irfft(half, self.n_fft, norm="ortho")[..., : half.shape[-1]]

    def _both_sides(self, cepstrum: Tensor) -> Tensor:
        if self.halved is None or 2 * self.halved == self.n_fft:
            return cepstrum
        weights = torch.ones_like(cepstrum[0, 0])
        weights[self.halved] = 0.5
        return cepstrum * weights


def _heard(values: Tensor, share: float) -> Tensor:
    """``values (n_clips, n_frames, n_points)``, zero where they are below that share of the frame's largest."""
    return values * (values >= share * values.amax(dim=-1, keepdim=True))


def _above_zero(values: Tensor, exponent: float) -> Tensor:
    """``max(values, 0) ^ exponent``; its slope at zero, which may be infinite, counts as zero."""
    if not values.requires_grad:
        return power(values, exponent)
    positive = values > 0
    return torch.where(positive, values, 1.0).pow(exponent) * positive


class _SymmetricallyWindowed(FramedSpectrum):
    """Frames under the symmetric window of their length, as nnAudio's CFP has it."""

    def __init__(self, framing: Framing) -> None:
        super().__init__(framing)
        before, after = framing.window_start, framing.n_fft - framing.win_length - framing.window_start
        self.window = Constant(np.pad(window(framing.window, framing.win_length, periodic=False), (before, after)))

    @property
    def key(self) -> Hashable:
        return self.framing, "symmetric"


def _only_fft(key: str) -> Fault:
    return Fault(
        key, "nnaudio's CFP has a symmetric window, which only engine: fft computes; leave parity out to train"
    )
