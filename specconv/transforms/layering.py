"""Finished specgrams through the layers that follow, some frames at a time and in the memory that they already have.

A layer needs several times as much as it is given for a moment. What is small goes through whole; of a long clip, or of
a batch that is normalized as one, so many frames at a time that the layers need little beside the result.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from specconv.engines.memory import empty
from specconv.layers.base import ClipLayer, Layer

LAYERED_BYTES = 2**23  # of specgrams that pass through a layer together


def through(layers: nn.Sequential, specgrams: Tensor) -> Tensor:
    """What the layers make of ``(batch, n_bins, n_frames)``, which may be overwritten.

    Numbers differ from those of the whole by rounding alone.
    """
    if specgrams.nbytes <= LAYERED_BYTES or _has_gradient(layers, specgrams):
        values: Tensor = layers(specgrams)
        return values
    for layer in layers:
        specgrams = _in_stretches(layer, specgrams)
    return specgrams


def through_one_by_one(layers: nn.Sequential, specgrams: Tensor, frames: Sequence[int]) -> Tensor:
    """The same for clips that have so many frames of their own; the layers see no others, and others are zero."""
    n_frames = specgrams.shape[-1]
    own = [clip[None, :, :n] for clip, n in zip(specgrams, frames, strict=True)]
    if _has_gradient(layers, specgrams):
        return torch.cat([F.pad(layers(clip), (0, n_frames - clip.shape[-1])) for clip in own])
    out: Tensor | None = None
    for i, clip in enumerate(own):
        values = through(layers, clip)
        if out is None:
            out = specgrams if values.shape[1] == specgrams.shape[1] else room(values, len(own), n_frames)
        out[i, :, : frames[i]] = values[0]
        out[i, :, frames[i] :] = 0
    assert out is not None
    return out


def _has_gradient(layers: nn.Module, specgrams: Tensor) -> bool:
    return torch.is_grad_enabled() and (specgrams.requires_grad or any(p.requires_grad for p in layers.parameters()))


def _in_stretches(layer: nn.Module, specgrams: Tensor) -> Tensor:
    n_frames = specgrams.shape[-1]
    step = max(1, n_frames * LAYERED_BYTES // specgrams.nbytes)
    if isinstance(layer, Layer) and layer.draws and layer.training:
        values: Tensor = layer(specgrams)
        return values
    if isinstance(layer, ClipLayer) and layer.observes:
        stretches = torch.split(specgrams, step, dim=-1)
        known = None
        for stretch in stretches:
            known = layer.observe(stretch, known)
        for stretch in stretches:
            stretch.copy_(layer.adjust(stretch, known))
        return specgrams
    context = layer.context if isinstance(layer, Layer) else 0
    out: Tensor | None = None
    before = specgrams[..., :0]
    for first in range(0, n_frames, step):
        own = specgrams[..., first : first + step]
        after = specgrams[..., first + step : first + step + context]
        wide = torch.cat([before, own, after], dim=-1) if context else own
        values = layer(wide)[..., before.shape[-1] : before.shape[-1] + own.shape[-1]]
        before = wide[..., : before.shape[-1] + own.shape[-1]][..., -context:] if context else before
        if out is None:
            out = specgrams if values.shape[1] == specgrams.shape[1] else room(values, len(specgrams), n_frames)
        out[..., first : first + step] = values
    assert out is not None
    return out


def room(values: Tensor, n_clips: int, n_frames: int) -> Tensor:
    """Where blocks like ``values`` go, with their order in memory: an FFT's bins lie innermost, as in torch.stft."""
    n_bins = values.shape[1]
    if values.stride(1) < values.stride(2):
        return empty((n_clips, n_frames, n_bins), like=values).transpose(1, 2)
    return empty((n_clips, n_bins, n_frames), like=values)
