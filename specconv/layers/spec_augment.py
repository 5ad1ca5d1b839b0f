"""SpecAugment: random bands of time and frequency hidden while training.

torchaudio's SpecAugment with iid_masks, draw by draw: after the same seed the same masks. Two things differ:
it acts in ``train()`` alone, and a hidden value becomes its own clip's mean, not the batch's.

D. S. Park et al.: SpecAugment: a simple data augmentation method for automatic speech recognition.
Interspeech 2019, arXiv 1904.08779. (Masks; its time warping is not here.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from specconv.errors import Fault
from specconv.layers.base import Layer, LayerParameters, SpecgramInfo, at_least_float32, check_specgram


class SpecAugment(Layer):
    """Hides bands of each clip (and channel), shape and type kept; the identity in ``eval()``.

    time_mask_param, freq_mask_param: a mask hides at most so many frames, bins (uniform from 0).
    n_time_masks, n_freq_masks: how many, drawn one after another (they may overlap).
    p: at most this share of the axis is hidden by one mask.
    zero_masking: hide under 0 instead of the clip's mean.
    generator: where the random numbers come from (torch's own if None), a ``torch.Generator`` of the input's
    device; it may be set at any time.
    """

    def __init__(
        self,
        n_time_masks: int,
        time_mask_param: int,
        n_freq_masks: int,
        freq_mask_param: int,
        p: float = 1.0,
        zero_masking: bool = False,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.n_time_masks, self.time_mask_param = n_time_masks, time_mask_param
        self.n_freq_masks, self.freq_mask_param = n_freq_masks, freq_mask_param
        self.p, self.zero_masking, self.generator = p, zero_masking, generator

    @property
    def draws(self) -> bool:
        return True

    def forward(self, specgram: Tensor) -> Tensor:
        check_specgram(specgram)
        if not self.training or specgram.numel() == 0:
            return specgram
        hidden = torch.zeros_like(specgram, dtype=torch.bool)
        for axis, n_masks, longest in (
            (-1, self.n_time_masks, self.time_mask_param),
            (-2, self.n_freq_masks, self.freq_mask_param),
        ):
            size = specgram.shape[axis]
            longest = longest if self.p == 1.0 else min(longest, int(size * self.p))
            if longest >= 1:
                for _ in range(n_masks):
                    hidden = hidden | self._band(specgram, longest, axis)
        return torch.where(hidden, self._cover(specgram), specgram)

    def _cover(self, specgram: Tensor) -> Tensor:
        if self.zero_masking:
            return specgram.new_zeros(())
        clip_axes = tuple(range(1, specgram.dim()))
        return at_least_float32(specgram).mean(dim=clip_axes, keepdim=True).to(specgram.dtype)

    def _band(self, specgram: Tensor, longest: int, axis: int) -> Tensor:
        """One band of each clip and channel, as a mask that broadcasts against the specgram."""
        size = specgram.shape[axis]
        length = self._uniform(specgram) * longest
        start = self._uniform(specgram) * (size - length)
        position = torch.arange(size, device=specgram.device)
        position = position if axis == -1 else position[:, None]
        return (position >= start.long()) & (position < start.long() + length.long())

    def _uniform(self, specgram: Tensor) -> Tensor:
        """A number from [0, 1) for each clip and channel."""
        dtype = torch.promote_types(specgram.dtype, torch.float32)
        shape = (*specgram.shape[:-2], 1, 1)
        return torch.rand(shape, generator=self.generator, dtype=dtype, device=specgram.device)

    def extra_repr(self) -> str:
        names = ("n_time_masks", "time_mask_param", "n_freq_masks", "freq_mask_param", "p", "zero_masking")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)


class SpecAugmentParameters(LayerParameters):
    """``{layer: spec_augment, time_mask_param: 40, freq_mask_param: 16}``."""

    training_only: ClassVar[bool] = True
    layer: Literal["spec_augment"] = "spec_augment"
    n_time_masks: int = Field(default=1, ge=0)
    time_mask_param: int = Field(ge=0)
    n_freq_masks: int = Field(default=1, ge=0)
    freq_mask_param: int = Field(ge=0)
    p: float = Field(default=1.0, ge=0, le=1)
    zero_masking: bool = False

    def source_faults(self, source: SpecgramInfo) -> Iterator[Fault]:
        if self.freq_mask_param > source.n_bins:
            yield Fault(
                "freq_mask_param",
                f"{self.freq_mask_param} bins is more than the {source.n_bins} there are; lower it",
            )

    def make(self, source: SpecgramInfo) -> SpecAugment:  # noqa: ARG002
        return SpecAugment(
            self.n_time_masks,
            self.time_mask_param,
            self.n_freq_masks,
            self.freq_mask_param,
            self.p,
            self.zero_masking,
        )
