"""Short-time Fourier transform: the spectrum of windowed frames.

J. B. Allen and L. R. Rabiner, "A unified approach to short-time Fourier analysis and synthesis", 1977.

    X[k, t] = sum_m w[m] · x[t·hop - n_fft//2 + m] · exp(-2jπ f_k m / sample_rate)

with f_k = k · sample_rate / n_fft, and the window centred in the frame when it is shorter. Phases count from the
frame's first sample, as in librosa and torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from specconv.engines.framed_fft import FramedSpectrum, Framing
from specconv.engines.padding import PadMode
from specconv.errors import Fault, ParameterError
from specconv.kernels.fourier import uniform_frequencies
from specconv.kernels.windows import WindowSpec, window
from specconv.transforms.base import Scale, Transform, TransformParameters
from specconv.transforms.scaling import Detector, Form

LARGEST_N_FFT = 2**22  # samples: 95 s at 44.1 kHz; beyond it a frame's spectrum alone fills caches and patience


FORMS: Mapping[Scale, Form] = {
    "magnitude": "magnitude",
    "power": "power",
    "decibel": "power",
    "log": "magnitude",
    "complex": "complex",
    "phase": "phase",
}
"""Which form of the coefficients each scale is made from."""


class FramedParameters(TransformParameters):
    """What every transform over short-time spectra shares.

    n_fft, win_length (n_fft if omitted), hop_length (a quarter of win_length): samples.
    window: a name that scipy.signal.get_window knows, or such a tuple; periodic.
    center: frame t is centred on sample t · hop_length, the ends padded by pad_mode; else it starts there.
    """

    n_fft: int = Field(2048, ge=2, le=LARGEST_N_FFT)
    win_length: int | None = Field(None, ge=1)
    hop_length: int | None = Field(None, ge=1)
    window: WindowSpec = "hann"
    center: bool = True
    pad_mode: PadMode = "reflect"

    @property
    def framing(self) -> Framing:
        """The values above with what was omitted filled in."""
        win_length = self.win_length or self.n_fft
        hop_length = self.hop_length or max(1, win_length // 4)
        return Framing(self.n_fft, hop_length, win_length, self.window, self.center, self.pad_mode)

    def faults(self, sample_rate: float) -> Iterator[Fault]:
        yield from super().faults(sample_rate)
        if self.win_length is not None and self.win_length > self.n_fft:
            yield Fault(
                "win_length",
                f"{self.win_length} samples exceed n_fft, {self.n_fft}; lower win_length or raise n_fft",
            )
        try:
            window(self.window, 8)
        except ParameterError as error:
            yield from error.faults


class StftParameters(FramedParameters):
    """Parameters of ``type: stft``.

    scale: magnitude, power, decibel (of power), log (of magnitude), complex or phase (rad).
    """

    PARITY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "librosa": {"pad_mode": "constant"},
        "torchaudio": {"n_fft": 400, "hop_length": 200, "scale": "power"},
        "nnaudio": {},
        "kapre": {"center": False},
    }

    type: Literal["stft"] = "stft"

    def make(self, sample_rate: float, *, trainable: bool) -> Transform:
        framing = self.framing
        frequencies = uniform_frequencies(sample_rate, self.n_fft)
        form = FORMS[self.scale]
        level = self.level("power" if self.scale == "decibel" else "magnitude")
        front = FramedSpectrum(framing)
        return Transform(
            self,
            sample_rate,
            framing.hop_length,
            frequencies,
            front=front,
            reach=front,
            finish=[Detector(form), *level],
        )
