"""Constant-Q and variable-Q transform: bins in octaves, kernels of a constant number of cycles.

J. C. Brown, "Calculation of a constant Q spectral transform", 1991; C. Schörkhuber et al., "A Matlab toolbox for
efficient perfect reconstruction time-frequency transforms with log-frequency resolution", 2014 (variable Q).

Computed by definition: no kernel is cut, nothing is downsampled. librosa's and nnAudio's octave by octave method is
off by 2 % and more of the peak; ``parity`` gives the kernels that their results amount to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from specconv.kernels.bank import KernelBank
from specconv.kernels.constant_q import Gain, Norm, constant_q_bank
from specconv.kernels.constant_q_parity import librosa_constant_q_bank, nnaudio_constant_q_bank
from specconv.kernels.windows import WindowSpec, window
from specconv.transforms.bank import BankParameters

C1 = 32.703195662574764  # Hz, the lowest C of a piano


class CqtParameters(BankParameters):
    """Parameters of ``type: cqt``.

    f_min: Hz, of the first bin. n_bins, bins_per_octave: the last bin lies below half the sample rate.
    filter_scale: factor on the length of every kernel; below 1 time is resolved better, frequency worse.
    norm: sum (1), energy (2) or maximum ("max") of each kernel is made 1, or nothing (null).
    gain: what follows: librosa (square root of the length), length, convolutional (nothing), wrap (2).
    """

    PARITY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "librosa": {},
        "nnaudio": {"pad_mode": "reflect", "f_min": 32.7},
    }

    type: Literal["cqt"] = "cqt"
    f_min: float = Field(C1, gt=0)
    n_bins: int = Field(84, ge=1, le=2**16)
    bins_per_octave: int = Field(12, ge=1, le=2**12)
    filter_scale: float = Field(1.0, gt=0)
    norm: Norm = 1
    window: WindowSpec = "hann"
    gain: Gain = "librosa"

    def bank(self, sample_rate: float) -> KernelBank:
        return self._bank(sample_rate, gamma=0.0)

    def _bank(self, sample_rate: float, gamma: float | Literal["erb"]) -> KernelBank:
        window(self.window, 8)  # an unknown window is a fault of the request: say so now
        chosen: dict[str, Any] = {
            "gamma": gamma,
            "filter_scale": self.filter_scale,
            "norm": self.norm,
            "window": self.window,
            "gain": self.gain,
        }
        bins = (sample_rate, self.f_min, self.n_bins, self.bins_per_octave)
        if self.parity == "librosa":
            return librosa_constant_q_bank(*bins, self.hop_length, **chosen)
        if self.parity == "nnaudio":
            return nnaudio_constant_q_bank(*bins, **chosen)
        return constant_q_bank(*bins, **chosen)


class VqtParameters(CqtParameters):
    """Parameters of ``type: vqt``: those of cqt, and

    gamma: Hz, added to the bandwidth of every bin, so that low bins resolve time better; "erb": as the ear's.
    """

    PARITY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "librosa": {},
        "nnaudio": {**CqtParameters.PARITY["nnaudio"], "gamma": 0.0},
    }

    type: Literal["vqt"] = "vqt"  # type: ignore[assignment]
    gamma: float | Literal["erb"] = "erb"

    def bank(self, sample_rate: float) -> KernelBank:
        return self._bank(sample_rate, gamma=self.gamma)
