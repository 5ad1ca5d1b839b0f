"""Finished specgrams through the layers that follow, some frames at a time and in the memory that they already have.

A layer needs several times as much as it is given for a moment. What is small goes through whole; of a long clip, or of
a batch that is normalized as one, so many frames at a time that the layers need little beside the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from specconv.engines.memory import empty
from specconv.engines.threads import on_cores
from specconv.layers.base import ClipLayer, Layer

LAYERED_BYTES = 2**23  # of specgrams that pass through a layer together
GROUP_BYTES = 2**20  # of short clips that pass through all layers on one core


def through(layers: nn.Sequential, specgrams: Tensor, frames: Sequence[int]) -> Tensor:
    """What the layers make of ``(batch, n_bins, n_frames)``, which may be overwritten.

    frames: of each clip its own; the layers see no others, and others become zero. On a CPU a clip passes as it would
    alone, on one core, in stretches that depend on nothing but its bins: its digits are the same in any batch.
    """
    n_frames = specgrams.shape[-1]
    alike = min(frames) == n_frames
    if _has_gradient(layers, specgrams) or torch.compiler.is_compiling():
        if alike:
            values: Tensor = layers(specgrams)
            return values
        own = [clip[None, :, :n] for clip, n in zip(specgrams, frames, strict=True)]
        return torch.cat([F.pad(layers(clip), (0, n_frames - clip.shape[-1])) for clip in own])
    if alike and (specgrams.device.type != "cpu" or any(_needs_all_clips(layer) for layer in layers)):
        step = max(1, n_frames * LAYERED_BYTES // specgrams.nbytes)
        for layer in layers:
            specgrams = _in_stretches(layer, specgrams, step)
        return specgrams
    if alike and len(specgrams) == 1 and specgrams.nbytes > LAYERED_BYTES:
        return _clip(layers, specgrams)
    outputs: dict[str, Tensor] = {}

    def work(rows: slice) -> None:
        own = frames[rows.start]
        values = _clip(layers, specgrams[rows, :, :own])
        if "all" not in outputs:
            same = values.shape[1] == specgrams.shape[1]
            # Another thread may have come so far, too: the room of the first one stays.
            outputs.setdefault("all", specgrams if same else room(values, len(specgrams), n_frames))
        outputs["all"][rows, :, :own] = values
        outputs["all"][rows, :, own:] = 0

    on_cores(specgrams, work, _groups(specgrams, frames))
    return outputs["all"]


def stretch_frames(n_bins: int, itemsize: int = 4) -> int:
    """Frames of a clip that pass through a layer together, whole or as a stream."""
    return max(1, LAYERED_BYTES // (n_bins * itemsize))


def _clip(layers: nn.Sequential, clips: Tensor) -> Tensor:
    for layer in layers:
        clips = _in_stretches(layer, clips, stretch_frames(clips.shape[1], clips.itemsize))
    return clips


def _groups(specgrams: Tensor, frames: Sequence[int]) -> list[slice]:
    """Runs of clips of one length."""
    groups: list[slice] = []
    for i, n in enumerate(frames):
        start = groups[-1].start if groups else 0
        small = (i + 1 - start) * specgrams.shape[1] * n * specgrams.itemsize <= GROUP_BYTES
        if groups and frames[start] == n and small:
            groups[-1] = slice(start, i + 1)
        else:
            groups.append(slice(i, i + 1))
    return groups


def _needs_all_clips(layer: nn.Module) -> bool:
    """Whether it looks at the batch, or draws numbers for it."""
    return isinstance(layer, Layer) and (layer.scope == "batch" or (layer.draws and layer.training))


def _has_gradient(layers: nn.Module, specgrams: Tensor) -> bool:
    return torch.is_grad_enabled() and (specgrams.requires_grad or any(p.requires_grad for p in layers.parameters()))


def _in_stretches(layer: nn.Module, specgrams: Tensor, step: int) -> Tensor:
    """One layer over ``step`` frames at a time; of a long clip several stretches at once, where none needs others."""
    if isinstance(layer, Layer) and layer.draws and layer.training:
        values: Tensor = layer(specgrams)
        return values
    if isinstance(layer, ClipLayer) and layer.observes:
        stretches = torch.split(specgrams, step, dim=-1)
        known: list[Any] = [None]

        def observe(_: int) -> None:
            for stretch in stretches:
                known[0] = layer.observe(stretch, known[0])

        def adjust(stretch: Tensor) -> None:
            stretch.copy_(layer.adjust(stretch, known[0]))

        on_cores(specgrams, observe, [0])
        on_cores(specgrams, adjust, stretches)
        return specgrams
    outputs: list[Tensor] = []
    on_cores(specgrams, lambda _: outputs.append(_one_after_another(layer, specgrams, step)), [0])
    return outputs[0]


def _one_after_another(layer: nn.Module, specgrams: Tensor, step: int) -> Tensor:
    context = layer.context if isinstance(layer, Layer) else 0
    out: Tensor | None = None
    before = specgrams[..., :0]
    for first in range(0, specgrams.shape[-1], step):
        own = specgrams[..., first : first + step]
        after = specgrams[..., first + step : first + step + context]
        wide = torch.cat([before, own, after], dim=-1) if context else own
        values = layer(wide)[..., before.shape[-1] : before.shape[-1] + own.shape[-1]]
        before = wide[..., : before.shape[-1] + own.shape[-1]][..., -context:] if context else before
        if out is None:
            same = values.shape[1] == specgrams.shape[1]
            out = specgrams if same else room(values, len(specgrams), specgrams.shape[-1])
        out[..., first : first + step] = values
    assert out is not None
    return out


def room(values: Tensor, n_clips: int, n_frames: int) -> Tensor:
    """Where blocks like ``values`` go, with their order in memory: an FFT's bins lie innermost, as in torch.stft."""
    n_bins = values.shape[1]
    if values.stride(1) < values.stride(2):
        return empty((n_clips, n_frames, n_bins), like=values).transpose(1, 2)
    return empty((n_clips, n_bins, n_frames), like=values)
