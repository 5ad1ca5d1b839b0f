"""Short-time Fourier transform: the spectrum of windowed frames.

J. B. Allen and L. R. Rabiner, "A unified approach to short-time Fourier analysis and synthesis", 1977.

    X[k, t] = sum_m w[m] · x[t·hop - n_fft//2 + m] · exp(-2jπ f_k m / sample_rate)

with f_k = k · sample_rate / n_fft, or as ``freq_scale`` spaces them, and the window centred in the frame when it is
shorter. Phases count from the frame's first sample, as in librosa and torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specconv.errors import Fault, ParameterError
from specconv.kernels.fourier import spaced_frequencies, uniform_frequencies
from specconv.transforms.base import Transform
from specconv.transforms.framed import FramedParameters
from specconv.transforms.scaling import FORMS, Detector

NNAUDIO_BAND = 50.0, 6000.0  # Hz, of its bins that are not the FFT's own; no PARITY, for uniform bins know no band


class StftParameters(FramedParameters):
    """Parameters of ``type: stft``.

    scale: magnitude, power, decibel (of power), log (of magnitude), complex or phase (rad).
    freq_scale: uniform, the FFT's own bins; or linear, or log (also called log2), n_bins (n_fft // 2 + 1 if omitted)
        from f_min (0 Hz; log: that of the FFT's first bin) to f_max (half the sample rate), Hz. Parity nnaudio: from
        50 to 6000 Hz.
    """

    PARITY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "librosa": {"pad_mode": "constant"},
        "torchaudio": {"n_fft": 400, "scale": "power"},
        "nnaudio": {},
        "kapre": {"center": False},
    }

    type: Literal["stft"] = "stft"
    freq_scale: Literal["uniform", "linear", "log", "log2"] = "uniform"
    f_min: float | None = Field(None, ge=0)
    f_max: float | None = Field(None, gt=0)
    n_bins: int | None = Field(None, ge=1, le=2**20)

    def faults(self, sample_rate: float) -> Iterator[Fault]:
        yield from super().faults(sample_rate)
        given = [key for key in ("f_min", "f_max", "n_bins") if getattr(self, key) is not None]
        if self.freq_scale == "uniform" and given:
            yield Fault(given[0], "is given, but freq_scale is uniform: every bin is kept; set freq_scale: linear")
            return
        try:
            self.frequencies(sample_rate)
        except ParameterError as error:
            yield from error.faults

    def frequencies(self, sample_rate: float) -> NDArray[np.float64]:
        """Of the bins, Hz."""
        if self.freq_scale == "uniform":
            return uniform_frequencies(sample_rate, self.n_fft)
        lowest, highest = 0.0 if self.freq_scale == "linear" else sample_rate / self.n_fft, sample_rate / 2
        if self.parity == "nnaudio":
            lowest, highest = NNAUDIO_BAND
        return spaced_frequencies(
            sample_rate,
            self.n_fft,
            self.n_bins,
            lowest if self.f_min is None else self.f_min,
            self.f_max or highest,
            self.freq_scale,
            parity="nnaudio" if self.parity == "nnaudio" else None,
        )

    def make(self, sample_rate: float, *, trainable: bool) -> Transform:
        frequencies = self.frequencies(sample_rate)
        if self.freq_scale == "uniform":
            analysis = self.uniform_analysis(sample_rate, trainable=trainable)
        else:
            analysis = self.spaced_analysis(sample_rate, frequencies, trainable=trainable)
        level = self.level("power" if self.scale == "decibel" else "magnitude")
        return Transform(
            self,
            analysis,
            [Detector(FORMS[self.scale]), *level],
            sample_rate=sample_rate,
            hop_length=self.framing.hop_length,
            center_frequencies=frequencies,
        )
