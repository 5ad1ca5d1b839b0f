"""Mel-frequency cepstral coefficients: the cosine transform of a logarithmic mel spectrum.

S. B. Davis and P. Mermelstein, "Comparison of parametric representations for monosyllabic word recognition in
continuously spoken sentences", 1980; B.-H. Juang et al., "On the use of bandpass liftering in speech recognition",
1987.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from specconv.engines.constant import Constant
from specconv.engines.product import product
from specconv.errors import Fault
from specconv.kernels.cepstrum import dct_matrix, lifter_weights
from specconv.transforms.base import Transform
from specconv.transforms.mel import MelParameters


class Cepstrum(nn.Module):
    """Each frame's bins times a fixed matrix ``(n_mfcc, n_mels)``."""

    def __init__(self, matrix: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        super().__init__()
        self._matrix = Constant(matrix)

    def forward(self, specgram: Tensor) -> Tensor:
        return product(self._matrix.like(specgram), specgram)


class MfccParameters(MelParameters):
    """Parameters of ``type: mfcc``: those of mel, and

    n_mfcc: coefficients kept. scale: decibel (of the mel power) or log, before the cosine transform.
    dct_norm: ortho, or none. lifter: 0, or the L of ``1 + L/2 sin(π n / L)``, from 1 on.
    """

    PARITY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "librosa": {**MelParameters.PARITY["librosa"], "n_mfcc": 20},
        "torchaudio": {**MelParameters.PARITY["torchaudio"], "n_mfcc": 40, "top_db": 80.0},
        "nnaudio": {**MelParameters.PARITY["nnaudio"], "n_mfcc": 20},
    }

    type: Literal["mfcc"] = "mfcc"  # type: ignore[assignment]
    scale: Literal["decibel", "log"] = "decibel"
    n_mfcc: int = Field(20, ge=1)
    dct_norm: Literal["ortho", "none"] = "ortho"
    lifter: float = Field(0.0, ge=0)

    def faults(self, sample_rate: float) -> Iterator[Fault]:
        yield from super().faults(sample_rate)
        if 0 < self.lifter < 1:
            yield Fault("lifter", f"is {self.lifter:g}; must be 0 (none) or at least 1: raise it")
        if self.n_mfcc > self.n_mels:
            yield Fault(
                "n_mfcc", f"{self.n_mfcc} coefficients exceed n_mels, {self.n_mels}; lower n_mfcc or raise n_mels"
            )

    def make(self, sample_rate: float, *, trainable: bool) -> Transform:
        matrix = dct_matrix(self.n_mfcc, self.n_mels, norm="ortho" if self.dct_norm == "ortho" else None)
        liftered = lifter_weights(self.n_mfcc, self.lifter)[:, None] * matrix
        return self.projected(
            sample_rate,
            self.weights(sample_rate),
            np.full(self.n_mfcc, np.nan),
            self.exponent,
            trainable=trainable,
            after=[Cepstrum(liftered)],
            units="cepstrum",
        )
