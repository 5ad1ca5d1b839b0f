"""Normalization: zero mean and unit deviation, per bin, frame, channel, clip or batch.

    y = (x - mean) / (deviation + eps)        deviation: of the population (divided by n, not n - 1)

What shares one mean and one deviation, in a specgram (batch, [channel,] n_bins, n_frames):

    over     across: clip                                across: batch
    freq     a bin's frames and channels in one clip     a bin's frames and channels in all clips
    time     a frame's bins and channels in one clip     a frame's bins and channels in all clips
    channel  a channel's bins and frames in one clip     a channel's bins and frames in all clips
    clip     all of a clip                               (that is over: batch)
    batch    all of the batch, always

Kapre 0.1's Normalization2D keeps one axis and takes statistics along all others, the batch's included: it is
``across: batch``, and its ``data_sample`` is ``clip``. Here a clip stands alone unless told otherwise, since
what is stored of it must not depend on the clips it was computed with.

K. Choi, D. Joo, J. Kim: Kapre: on-GPU audio preprocessing layers for a quick implementation of deep neural
network models with Keras. 2017.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor

from specconv.engines.total import total
from specconv.layers.base import ClipLayer, LayerParameters, Scope, SpecgramInfo, at_least_float32

Over = Literal["freq", "time", "channel", "clip", "batch"]
Across = Literal["clip", "batch"]


class Moments(NamedTuple):
    """Mean and sum of squared deviations of ``n_values`` values each, broadcastable against the specgram."""

    n_values: int
    mean: Tensor
    squares: Tensor


class Normalization(ClipLayer[Moments]):
    """Zero mean and unit deviation, shape and type kept.

    over, across: which values are taken together, see the module. eps: added to the deviation.
    Values that are all the same (silence, at whatever level) become zeros, and pass no gradient, where the
    plain formula divides nothing by eps. float16 and bfloat16 are computed in float32.
    """

    def __init__(self, over: Over, across: Across = "clip", eps: float = 1e-10) -> None:
        super().__init__()
        self.over: Over = over
        self.across: Across = "batch" if over == "batch" else across
        self.eps = eps

    @property
    def scope(self) -> Scope:
        return _scope(self.over, self.across)

    @property
    def observes(self) -> bool:
        return self.over != "time"

    def observe(self, specgram: Tensor, statistics: Moments | None = None) -> Moments:
        """Moments of the blocks so far (over time each block's frames have their own, and stand alone)."""
        moments = _moments(at_least_float32(specgram), self._axes_taken_together(specgram.dim()))
        return moments if statistics is None or self.over == "time" else _merge(statistics, moments)

    def adjust(self, specgram: Tensor, statistics: Moments) -> Tensor:
        x = at_least_float32(specgram)
        variance = statistics.squares / statistics.n_values
        varied = variance > 0
        deviation = torch.where(varied, variance, 1.0).sqrt() + self.eps
        # Divided by infinity a value and its gradient are zero.
        deviation = torch.where(varied, deviation, torch.inf)
        return (x - statistics.mean.to(x.dtype)).div_(deviation.to(x.dtype)).to(specgram.dtype)

    def _axes_taken_together(self, n_axes: int) -> tuple[int, ...]:
        """Axes along which the statistics run. Without a channel axis, a clip is its one channel."""
        kept = set() if self.across == "batch" else {0}
        if self.over == "freq":
            kept.add(n_axes - 2)
        elif self.over == "time":
            kept.add(n_axes - 1)
        elif self.over == "channel" and n_axes == 4:
            kept.add(1)
        return tuple(axis for axis in range(n_axes) if axis not in kept)

    def extra_repr(self) -> str:
        return f"over={self.over}, across={self.across}, eps={self.eps}"


class NormalizationParameters(LayerParameters):
    """``{layer: normalization, over: freq}``."""

    layer: Literal["normalization"] = "normalization"
    over: Over
    across: Across | None = None  # None: what ``over`` says; clip, but for ``over: batch``
    eps: float = Field(default=1e-10, gt=0)

    @model_validator(mode="after")
    def _one_meaning(self) -> NormalizationParameters:
        if self.over in ("clip", "batch") and self.across not in (None, self.over):
            raise ValueError(f"across: {self.across} contradicts over: {self.over}; leave it out")
        return self

    @property
    def scope(self) -> Scope:
        return _scope(self.over, self.across or "clip")

    def make(self, source: SpecgramInfo) -> Normalization:  # noqa: ARG002
        return Normalization(self.over, self.across or "clip", self.eps)

    def output(self, source: SpecgramInfo) -> SpecgramInfo:
        return replace(source, units="deviations")


def _scope(over: Over, across: Across) -> Scope:
    if "batch" in (over, across):
        return "batch"
    return "frame" if over == "time" else "clip"


def _moments(x: Tensor, axes: tuple[int, ...]) -> Moments:
    """Moments along ``axes``, exact where all values are the same.

    A mean of equal values is not always that value in floating point, and the tiny difference would be blown
    up to unit deviation. Taken from one of the values, the differences are exactly zero, and small otherwise.
    """
    n_values, origin = 1, x.detach()
    for axis in axes:
        n_values *= x.shape[axis]
        origin = origin.narrow(axis, 0, 1)
    offsets = x - origin
    mean = total(offsets, axes) / n_values
    squares = total((offsets - mean).square(), axes)
    return Moments(n_values, origin + mean, squares)


def _merge(a: Moments, b: Moments) -> Moments:
    """Moments of two sets of values together (Chan, Golub, LeVeque 1979), in float64 where there is any."""
    wide = torch.float32 if a.mean.device.type == "mps" else torch.float64
    n_values, shift = a.n_values + b.n_values, b.mean.to(wide) - a.mean.to(wide)
    mean = a.mean.to(wide) + shift * (b.n_values / n_values)
    squares = a.squares.to(wide) + b.squares.to(wide) + shift.square() * (a.n_values * b.n_values / n_values)
    return Moments(n_values, mean, squares)
