"""Noise: added while training, never in evaluation.

Kapre 0.1's AdditiveNoise, with the colours it promised. The spectrum's power goes as a power of frequency
along the last axis: white 0, pink -1 (-3 dB an octave), brown -2, blue +1, violet +2.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from specconv.errors import ParameterError
from specconv.layers.base import Layer, LayerParameters, SpecgramInfo, at_least_float32

Color = Literal["white", "pink", "brown", "blue", "violet"]
_EXPONENTS: dict[str, float] = {"white": 0.0, "pink": -1.0, "brown": -2.0, "blue": 1.0, "violet": 2.0}


class Noise(Layer):
    """Adds Gaussian noise to waveforms (batch, ..., time) or specgrams (batch, ..., n_bins, n_frames).

    power: root mean square of the noise (Kapre's name for it; for white noise its deviation), in the input's
    units. color: see the module, along the last axis. random_gain: each clip's noise gets a gain of its own,
    uniform from 0 to 1, instead of 1. generator: where the random numbers come from (torch's own if None), a
    ``torch.Generator`` of the input's device; it may be set at any time.
    The identity in ``eval()``. float16 and bfloat16 are computed in float32. Colored noise is periodic in
    the length of the input.
    """

    def __init__(
        self,
        power: float = 0.1,
        color: Color = "white",
        random_gain: bool = False,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.power, self.color, self.random_gain, self.generator = power, color, random_gain, generator

    @property
    def draws(self) -> bool:
        return True

    def forward(self, clips: Tensor) -> Tensor:
        if not clips.is_floating_point():
            raise ParameterError(f"noise is added to real floating-point values, not {clips.dtype}")
        if not self.training or clips.numel() == 0:
            return clips
        x = at_least_float32(clips)
        noise = torch.randn(x.shape, generator=self.generator, dtype=x.dtype, device=x.device)
        if self.color != "white":
            noise = _colored(noise, _EXPONENTS[self.color])
        gain: float | Tensor = self.power
        if self.random_gain:
            one_a_clip = (len(x), *[1] * (x.dim() - 1))
            gain = self.power * torch.rand(one_a_clip, generator=self.generator, dtype=x.dtype, device=x.device)
        return (x + gain * noise).to(clips.dtype)

    def extra_repr(self) -> str:
        return f"power={self.power}, color={self.color}, random_gain={self.random_gain}"


class NoiseParameters(LayerParameters):
    """``{layer: noise, power: 0.1, color: pink}``."""

    training_only: ClassVar[bool] = True
    layer: Literal["noise"] = "noise"
    power: float = Field(default=0.1, ge=0)
    color: Color = "white"
    random_gain: bool = False

    def make(self, source: SpecgramInfo) -> Noise:  # noqa: ARG002
        return Noise(self.power, self.color, self.random_gain)


def _colored(white: Tensor, exponent: float) -> Tensor:
    """Noise of the same length whose power goes as frequency ** exponent and is 1 in expectation."""
    length = white.shape[-1]
    harmonics = torch.arange(length // 2 + 1, dtype=white.dtype, device=white.device)
    # The mean counts as the lowest frequency: 0 Hz has no power of its own.
    power = torch.pow(harmonics.clamp(min=1.0), exponent)
    both_sides = torch.cat([power, power[1 : (length + 1) // 2]])
    spectrum = torch.fft.rfft(white) * (power / both_sides.mean()).sqrt()
    colored: Tensor = torch.fft.irfft(spectrum, n=length)
    return colored
