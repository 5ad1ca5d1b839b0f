"""Delta: the slope of each bin over time.

    d[t] = sum_n n (c[t + n] - c[t - n]) / (2 sum_n n^2),        n = 1 .. N = (win_length - 1) / 2

is the least-squares line's slope through win_length frames: torchaudio's compute_deltas, Kapre's Delta (which
is ``mode: symmetric``), and librosa's delta of order 1 (a Savitzky-Golay filter) with mode "nearest"; with
librosa's default mode, "interp", all but the outer N frames on each side. Order 2 is the delta of the delta,
as torchaudio's users write it; librosa's order 2 fits a parabola to one window and is something else.

S. Furui: Speaker-independent isolated word recognition using dynamic features of speech spectrum. IEEE Trans.
ASSP 34(1), 1986.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional as F

from specconv.layers.base import Layer, LayerParameters, SpecgramInfo, at_least_float32, check_specgram

Mode = Literal["replicate", "symmetric", "reflect", "constant"]


class Delta(Layer):
    """Slope per frame, shape and type kept.

    win_length: frames, odd, at least 3. order: 1, or 2 for the delta of the delta. mode: what stands beyond
    the clip's ends: its last frame (replicate), its mirror image with (symmetric) or without (reflect) that
    frame, or zeros (constant); a clip may be shorter than the window.
    A block of a long recording with its ``context`` neighbours on each side gives, without these, the frames
    of the whole. float16 and bfloat16 are computed in float32.
    """

    def __init__(self, win_length: int = 5, order: int = 1, mode: Mode = "replicate") -> None:
        super().__init__()
        self.win_length, self.order, self.mode = win_length, order, mode

    @property
    def context(self) -> int:
        return self.order * (self.win_length // 2)

    def forward(self, specgram: Tensor) -> Tensor:
        check_specgram(specgram)
        slope = at_least_float32(specgram)
        if specgram.shape[-1] == 0:
            return specgram
        for _ in range(self.order):
            slope = self._slope(slope)
        return slope.to(specgram.dtype)

    def _slope(self, x: Tensor) -> Tensor:
        reach, n_frames = self.win_length // 2, x.shape[-1]
        padded = _pad(x, reach, self.mode)
        # Differences, not a convolution: what does not change has a slope of exactly zero.
        total = torch.zeros_like(x)
        for n in range(1, reach + 1):
            ahead = padded.narrow(-1, reach + n, n_frames)
            behind = padded.narrow(-1, reach - n, n_frames)
            total = total + n * (ahead - behind)
        return total / (2 * sum(n * n for n in range(1, reach + 1)))

    def extra_repr(self) -> str:
        return f"win_length={self.win_length}, order={self.order}, mode={self.mode}"


class DeltaParameters(LayerParameters):
    """``{layer: delta, win_length: 9}``."""

    layer: Literal["delta"] = "delta"
    win_length: int = Field(default=5, ge=3)
    order: Literal[1, 2] = 1
    mode: Mode = "replicate"

    @field_validator("win_length")
    @classmethod
    def _odd(cls, win_length: int) -> int:
        if win_length % 2 == 0:
            raise ValueError(f"{win_length} frames have no middle one; make it {win_length + 1}")
        return win_length

    def make(self, source: SpecgramInfo) -> Delta:  # noqa: ARG002
        return Delta(self.win_length, self.order, self.mode)

    def output(self, source: SpecgramInfo) -> SpecgramInfo:
        per_frame = "/frame" if self.order == 1 else "/frame^2"
        return replace(source, units=(source.units or "1") + per_frame)


def _pad(x: Tensor, reach: int, mode: Mode) -> Tensor:
    """``reach`` more frames on each side. (torch's pad has no symmetric mode, and fails on shorter clips.)"""
    if mode == "constant":
        return F.pad(x, (reach, reach))
    n_frames = x.shape[-1]
    frame = torch.arange(-reach, n_frames + reach, device=x.device)
    if mode == "replicate":
        frame = frame.clamp(0, n_frames - 1)
    elif mode == "symmetric":
        frame = frame % (2 * n_frames)
        frame = torch.minimum(frame, 2 * n_frames - 1 - frame)
    else:
        period = max(2 * (n_frames - 1), 1)
        frame = frame % period
        frame = torch.minimum(frame, period - frame)
    return x.index_select(-1, frame)
