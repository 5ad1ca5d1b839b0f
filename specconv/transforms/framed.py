"""What every transform over short-time spectra shares: the frames, the engine, a projection of the bins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from specconv.engines.conv1d import Conv1dBank
from specconv.engines.framed_fft import FramedSpectrum, Framing
from specconv.engines.padding import PadMode
from specconv.engines.spaced_fft import Interpolation, OversampledSpectrum
from specconv.errors import Fault, ParameterError
from specconv.kernels.bank import KernelBank
from specconv.kernels.fourier import fourier_bank, uniform_frequencies
from specconv.kernels.windows import WindowSpec, window
from specconv.transforms.base import LONGEST_HOP, Analysis, Transform, TransformParameters, check_convolvable
from specconv.transforms.scaling import Projection

LARGEST_N_FFT = 2**22  # samples: 95 s at 44.1 kHz; beyond it a frame's spectrum alone fills caches and patience
LARGEST_CONVOLVED = 2**14  # samples: the n_fft whose uniform bins the conv1d engine can just hold
HOPS_IN_A_WINDOW: Mapping[str | None, int] = {"torchaudio": 2}  # libraries whose hop_length is no quarter of win_length
LARGEST_PROJECTION = 2**26  # filters times n_fft: 256 MB of float64 weights, built from several as large


class FramedParameters(TransformParameters):
    """n_fft, win_length (n_fft if omitted), hop_length (a quarter of win_length; parity torchaudio: half): samples.

    window: a name that scipy.signal.get_window knows, or such a tuple; periodic.
    center: frame t is centred on sample t · hop_length, the ends padded by pad_mode; else it starts there.
    A window shorter than n_fft lies in the middle of its frame (parity kapre, uncentred: at its start).
    """

    n_fft: int = Field(2048, ge=2, le=LARGEST_N_FFT)
    win_length: int | None = Field(None, ge=1)
    hop_length: int | None = Field(None, ge=1, le=LONGEST_HOP)
    window: WindowSpec = "hann"
    center: bool = True
    pad_mode: PadMode = "reflect"

    @property
    def framing(self) -> Framing:
        """The values above with what was omitted filled in."""
        win_length = self.win_length or self.n_fft
        hop_length = self.hop_length or max(1, win_length // HOPS_IN_A_WINDOW.get(self.parity, 4))
        first = self.parity == "kapre" and not self.center and win_length < self.n_fft
        return Framing(self.n_fft, hop_length, win_length, self.window, self.center, self.pad_mode, first)

    def faults(self, sample_rate: float) -> Iterator[Fault]:
        yield from super().faults(sample_rate)
        if self.win_length is not None and self.win_length > self.n_fft:
            yield Fault(
                "win_length",
                f"{self.win_length} samples exceed n_fft, {self.n_fft}; lower win_length or raise n_fft",
            )
        if self.engine == "conv1d" and self.n_fft > LARGEST_CONVOLVED:
            yield Fault(
                "n_fft", f"{self.n_fft} exceeds {LARGEST_CONVOLVED}, the most that conv1d can hold; use engine: fft"
            )
        try:
            window(self.window, 8)
        except ParameterError as error:
            yield from error.faults

    def projection_faults(self, key: str, n_filters: int) -> Iterator[Fault]:
        """What is wrong with so many filters over the spectrum's bins; ``key`` says where their number stands."""
        if n_filters * self.n_fft > LARGEST_PROJECTION:
            yield Fault(
                key,
                f"{n_filters} filters over a spectrum of n_fft {self.n_fft} exceed {LARGEST_PROJECTION} weights, "
                f"n_fft times {key}; lower one of them",
            )

    def uniform_analysis(self, sample_rate: float, *, trainable: bool) -> Analysis:
        """Coefficients at the FFT's own frequencies."""
        if self.engine_for(trainable) == "conv1d":
            return self._convolved(sample_rate, uniform_frequencies(sample_rate, self.n_fft), trainable)
        front = FramedSpectrum(self.framing)
        return Analysis(front, front)

    def spaced_analysis(self, sample_rate: float, frequencies: NDArray[np.float64], *, trainable: bool) -> Analysis:
        """Coefficients at any frequencies, Hz."""
        if self.engine_for(trainable) == "conv1d":
            return self._convolved(sample_rate, frequencies, trainable)
        front = OversampledSpectrum(self.framing)
        return Analysis(front, front, (Interpolation(frequencies / sample_rate, self.n_fft),))

    def _convolved(self, sample_rate: float, frequencies: NDArray[np.float64], trainable: bool) -> Analysis:
        framing = self.framing
        bank = fourier_bank(
            sample_rate, framing.n_fft, frequencies, win_length=framing.win_length, window=framing.window
        )
        check_convolvable(bank)
        if not framing.center:
            bank = _starting(bank, framing.window_start)
        convolved = Conv1dBank(bank, framing.hop_length, trainable=trainable)
        # A shorter window lies in the middle of the frame, but the frame is what must fit into the clip.
        needed = framing.win_length if framing.window_first else framing.n_fft
        front = convolved.front(framing.pad_mode, beyond=2 * framing.left - needed)
        return Analysis(front, front, (convolved,))

    def projected(
        self,
        sample_rate: float,
        weights: NDArray[np.float64],
        center_frequencies: NDArray[np.float64],
        exponent: float,
        *,
        trainable: bool,
        after: Sequence[nn.Module] = (),
        units: str | None = None,
    ) -> Transform:
        """``weights (n_bins, n_fft // 2 + 1)`` times magnitudes to the power of ``exponent``, on the scale chosen."""
        of: Literal["magnitude", "power"] = "magnitude" if exponent == 1.0 else "power"
        if units is None and self.scale in ("magnitude", "power"):
            units = of
        return Transform(
            self,
            self.uniform_analysis(sample_rate, trainable=trainable),
            [Projection(weights, exponent, trainable=trainable), *self.level(of), *after],
            sample_rate=sample_rate,
            hop_length=self.framing.hop_length,
            center_frequencies=center_frequencies,
            units=units,
        )


def _starting(bank: KernelBank, window_start: int) -> KernelBank:
    """The bank with time 0 at the frame's first sample, and its windows ``window_start`` samples later."""
    return replace(bank, starts=np.full(bank.n_bins, window_start), gains=np.ones(bank.n_bins))
