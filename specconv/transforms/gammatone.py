"""Gammatone: the ear's filters, spaced evenly on its scale.

R. D. Patterson et al., "Complex sounds and auditory images", 1992; M. Slaney, "An efficient implementation of the
Patterson-Holdsworth auditory filter bank", 1993; D. P. W. Ellis, "Gammatone-like spectrograms", 2009 (method stft).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from specconv.errors import Fault, ParameterError
from specconv.kernels.bank import KernelBank
from specconv.kernels.gammatone import erb_frequencies, gammatone_bank, gammatone_weights
from specconv.transforms.bank import BankParameters
from specconv.transforms.base import Transform
from specconv.transforms.framed import FramedParameters


class GammatoneParameters(BankParameters):
    """Parameters of ``type: gammatone``: complex 4th order kernels, aligned by the peak of their envelope.

    n_bins between f_min and f_max (half the sample rate if omitted), Hz. width: factor on every bandwidth.
    """

    type: Literal["gammatone"] = "gammatone"
    n_bins: int = Field(64, ge=1, le=2**12)
    f_min: float = Field(20.0, gt=0)
    f_max: float | None = Field(None, gt=0)
    width: float = Field(1.0, gt=0)

    def bank(self, sample_rate: float) -> KernelBank:
        return gammatone_bank(sample_rate, self.n_bins, f_min=self.f_min, f_max=self.f_max, width=self.width)


class GammatonegramParameters(FramedParameters):
    """Parameters of ``type: gammatonegram``: the filters' magnitude responses as weights of a short-time spectrum.

    power: exponent of the magnitudes that are weighed. What nnAudio calls a Gammatonegram.
    """

    PARITY: ClassVar[Mapping[str, Mapping[str, Any]]] = {"nnaudio": {"hop_length": 512, "f_min": 0.0}}

    type: Literal["gammatonegram"] = "gammatonegram"
    scale: Literal["magnitude", "power", "decibel", "log"] = "power"
    n_bins: int = Field(64, ge=1, le=2**12)
    f_min: float = Field(20.0, ge=0)
    f_max: float | None = Field(None, gt=0)
    width: float = Field(1.0, gt=0)
    power: float | None = Field(None, gt=0)

    def faults(self, sample_rate: float) -> Iterator[Fault]:
        yield from super().faults(sample_rate)
        yield from self.projection_faults("n_bins", self.n_bins)
        try:
            erb_frequencies(self.n_bins, f_min=self.f_min, f_max=self.f_max or sample_rate / 2)
            gammatone_weights(sample_rate, 4, 1, f_min=self.f_min, f_max=self.f_max, width=self.width)
        except ParameterError as error:
            yield from error.faults

    def make(self, sample_rate: float, *, trainable: bool) -> Transform:
        weights = gammatone_weights(
            sample_rate, self.n_fft, self.n_bins, f_min=self.f_min, f_max=self.f_max, width=self.width
        )
        if self.parity == "nnaudio":
            weights /= self.n_fft
        frequencies = erb_frequencies(self.n_bins, f_min=self.f_min, f_max=self.f_max or sample_rate / 2)
        exponent = self.power or (1.0 if self.scale == "magnitude" else 2.0)
        return self.projected(sample_rate, weights, frequencies, exponent, trainable=trainable)
