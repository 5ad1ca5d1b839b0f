"""Mel spectrogram: triangular filters, evenly spaced on the mel scale, over the short-time spectrum.

S. S. Stevens, J. Volkmann and E. B. Newman, "A scale for the measurement of the psychological magnitude pitch", 1937;
M. Slaney, "Auditory Toolbox", 1998 (scale and norm "slaney"); S. Young et al., "The HTK Book", 2002 ("htk").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from specconv.engines.framed_fft import FramedSpectrum
from specconv.errors import Fault
from specconv.kernels.mel import mel_frequencies, mel_weights
from specconv.transforms.base import Transform
from specconv.transforms.scaling import Projection
from specconv.transforms.stft import FramedParameters


class MelParameters(FramedParameters):
    """Parameters of ``type: mel``.

    n_mels: filters between f_min and f_max (half the sample rate if omitted), Hz.
    mel_scale: slaney (linear to 1 kHz, logarithmic above) or htk. norm: slaney (equal area) or none.
    power: exponent of the magnitudes that the filters weigh; 2 unless scale is magnitude, then 1.
    scale: power, magnitude, decibel or log.
    """

    PARITY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "librosa": {"pad_mode": "constant", "hop_length": 512},
        "torchaudio": {"n_fft": 400, "hop_length": 200, "mel_scale": "htk", "norm": None},
        "nnaudio": {"hop_length": 512},
        "kapre": {"center": False, "power": 1.0},
    }

    type: Literal["mel"] = "mel"
    scale: Literal["magnitude", "power", "decibel", "log"] = "power"
    n_mels: int = Field(128, ge=1, le=2**16)
    f_min: float = Field(0.0, ge=0)
    f_max: float | None = Field(None, gt=0)
    mel_scale: Literal["slaney", "htk"] = "slaney"
    norm: Literal["slaney"] | None = "slaney"
    power: float | None = Field(None, gt=0)

    @property
    def exponent(self) -> float:
        return self.power or (1.0 if self.scale == "magnitude" else 2.0)

    def faults(self, sample_rate: float) -> Iterator[Fault]:
        yield from super().faults(sample_rate)
        yield from band_faults(self.f_min, self.f_max, sample_rate)

    def make(self, sample_rate: float, *, trainable: bool) -> Transform:
        f_max = self.f_max or sample_rate / 2
        band: dict[str, Any] = {"f_min": self.f_min, "f_max": f_max, "mel_scale": self.mel_scale}
        weights = mel_weights(sample_rate, self.n_fft, self.n_mels, norm=self.norm, **band)
        of: Literal["magnitude", "power"] = "magnitude" if self.exponent == 1.0 else "power"
        front = FramedSpectrum(self.framing)
        return Transform(
            self,
            sample_rate,
            self.framing.hop_length,
            mel_frequencies(self.n_mels, **band),
            front=front,
            reach=front,
            finish=[Projection(weights, self.exponent, trainable=trainable), *self.level(of)],
            units=of if self.scale in ("magnitude", "power") else None,
        )


def band_faults(f_min: float, f_max: float | None, sample_rate: float) -> Iterator[Fault]:
    """Faults of a band of frequencies: 0 <= f_min < f_max <= sample_rate / 2."""
    nyquist = sample_rate / 2
    if f_max is not None and f_max > nyquist:
        yield Fault(
            "f_max",
            f"{f_max:g} Hz exceeds {nyquist:g} Hz, half of the sample rate; lower f_max or raise sample_rate",
        )
    if f_min >= (f_max or nyquist):
        yield Fault("f_min", f"{f_min:g} Hz is not below f_max, {f_max or nyquist:g} Hz; lower f_min or raise f_max")
