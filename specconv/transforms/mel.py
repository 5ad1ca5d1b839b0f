"""Mel spectrogram: triangular filters, evenly spaced on the mel scale, over the short-time spectrum.

S. S. Stevens, J. Volkmann and E. B. Newman, "A scale for the measurement of the psychological magnitude pitch", 1937;
M. Slaney, "Auditory Toolbox", 1998 (scale and norm "slaney"); S. Young et al., "The HTK Book", 2002 ("htk").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from specconv.errors import Fault
from specconv.kernels.band import band_faults
from specconv.kernels.mel import mel_frequencies, mel_weights
from specconv.transforms.base import Transform
from specconv.transforms.framed import FramedParameters


class MelParameters(FramedParameters):
    """Parameters of ``type: mel``.

    n_mels: filters between f_min and f_max (half the sample rate if omitted; parity torchaudio: rounded down), Hz.
    mel_scale: slaney (linear to 1 kHz, logarithmic above) or htk. norm: slaney (equal area) or none.
    power: exponent of the magnitudes that the filters weigh; 2 unless scale is magnitude, then 1.
    scale: power, magnitude, decibel or log.
    """

    PARITY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "librosa": {"pad_mode": "constant", "hop_length": 512},
        "torchaudio": {"n_fft": 400, "mel_scale": "htk", "norm": None},
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

    @field_validator("norm", mode="before")
    @classmethod
    def _none_is_null(cls, norm: Any) -> Any:
        return None if norm == "none" else norm

    @property
    def exponent(self) -> float:
        return self.power or (1.0 if self.scale == "magnitude" else 2.0)

    def faults(self, sample_rate: float) -> Iterator[Fault]:
        yield from super().faults(sample_rate)
        yield from self.projection_faults("n_mels", self.n_mels)
        yield from band_faults(sample_rate, self.f_min, self.highest(sample_rate))

    def highest(self, sample_rate: float) -> float:
        """f_max, or what stands for it, Hz."""
        return self.f_max or (sample_rate // 2 if self.parity == "torchaudio" else sample_rate / 2)

    def weights(self, sample_rate: float) -> NDArray[np.float64]:
        """The filters, ``(n_mels, n_fft // 2 + 1)``."""
        return mel_weights(
            sample_rate,
            self.n_fft,
            self.n_mels,
            f_min=self.f_min,
            f_max=self.highest(sample_rate),
            mel_scale=self.mel_scale,
            norm=self.norm,
            parity=None if self.parity == "librosa" else self.parity,
        )

    def make(self, sample_rate: float, *, trainable: bool) -> Transform:
        highest = self.highest(sample_rate)
        centres = mel_frequencies(self.n_mels, f_min=self.f_min, f_max=highest, mel_scale=self.mel_scale)
        return self.projected(sample_rate, self.weights(sample_rate), centres, self.exponent, trainable=trainable)
