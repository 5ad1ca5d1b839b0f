"""Waveforms through transforms: each distinct front once, block by block, and then what needs whole clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from specconv.engines.front import Block, Front
from specconv.engines.padding import Padded
from specconv.engines.precision import full_precision, is_exporting
from specconv.engines.threads import is_plain, side_by_side, workers
from specconv.errors import ParameterError
from specconv.layers.base import Layer
from specconv.transforms.layering import LAYERED_BYTES, room, through

if TYPE_CHECKING:
    from specconv.transforms.base import Transform


def compute(transforms: Sequence[Transform], waveforms: Tensor, lengths: Sequence[int] | None = None) -> list[Tensor]:
    """Every transform's specgrams of the same waveforms, each distinct front computed once.

    Returns, in order, tensors ``(batch, n_bins, n_frames)``; a row's frames beyond its own length are zero.
    Raises ParameterError for what is no batch of waveforms, and for a clip that is too short for a frame of an
    uncentred transform.
    """
    waveforms = _floating(waveforms)
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        raise ParameterError(
            "torch.jit.trace would keep the shape of its example for ever; use torch.export.export with dynamic_shapes"
        )
    if waveforms.ndim == 1:
        return [specgram[0] for specgram in compute(transforms, waveforms[None], lengths)]
    if is_exporting() and lengths is None:
        return _exported(transforms, waveforms)
    whole = Padded(waveforms, lengths, "constant")  # checks the shape and the number of lengths
    if (longest := max(whole.lengths)) > waveforms.shape[1]:
        raise ParameterError(f"lengths hold {longest}; waveforms have {waveforms.shape[1]} samples, padding included")
    specgrams: dict[int, Tensor] = {}
    with full_precision(waveforms.device.type):
        for group in by_front(transforms):
            finished = _by_one_front([transforms[i] for i in group], waveforms, whole.lengths)
            specgrams.update(zip(group, finished, strict=True))
    return [specgrams[i] for i in range(len(transforms))]


def _exported(transforms: Sequence[Transform], waveforms: Tensor) -> list[Tensor]:
    """The same for one batch, as a graph that holds for batches and clips of any size."""
    specgrams: dict[int, Tensor] = {}
    with full_precision(waveforms.device.type):
        for group in by_front(transforms):
            coefficients = transforms[group[0]].front.whole(waveforms)
            for i in group:
                specgrams[i] = transforms[i].clip_layers(transforms[i].finish(coefficients))
    return [specgrams[i] for i in range(len(transforms))]


def by_front(transforms: Sequence[Transform]) -> list[list[int]]:
    """Indices of the transforms in groups that share a front."""
    groups: dict[Any, list[int]] = {}
    for i, transform in enumerate(transforms):
        groups.setdefault(transform.front.key, []).append(i)
    return list(groups.values())


def finish(front: Front, transforms: Sequence[Transform], signal: Padded, frames: range) -> list[Tensor]:
    """Run one front over ``frames`` and let each of its transforms finish every block.

    Returns, for each transform, ``(batch, n_bins, len(frames))``, before its clip layers.
    """
    n_clips, device = len(signal.waveforms), signal.waveforms.device
    outputs: dict[int, Tensor] = {}

    def work(block: Block) -> None:
        coefficients = block.compute()
        where = slice(block.frames.start - frames.start, block.frames.stop - frames.start)
        for i, transform in enumerate(transforms):
            if i in outputs:
                transform.finish_into(coefficients, outputs[i][block.rows, :, where])
                continue
            values = transform.finish(coefficients)
            if values.shape[0] == n_clips and values.shape[2] == len(frames):
                # The only block; a tensor that two transforms finish with would be one for both.
                outputs[i] = values.clone() if any(values is other for other in outputs.values()) else values
                continue
            # Another thread may have come so far, too: the room of the first one stays.
            outputs.setdefault(i, room(values, n_clips, len(frames)))[block.rows, :, where] = values

    whole = _has_gradient(transforms, signal.waveforms)
    blocks = front.blocks(signal, frames, whole=whole, together=lambda n: max(t.reach.together(n) for t in transforms))
    with full_precision(device.type):
        if whole or device.type != "cpu" or torch.compiler.is_compiling():
            for block in blocks:
                work(block)
        else:
            side_by_side(work, list(blocks))
    return [outputs[i] for i in range(len(transforms))]


def _by_one_front(transforms: Sequence[Transform], waveforms: Tensor, lengths: Sequence[int]) -> list[Tensor]:
    """Specgrams of transforms that share a front: so many clips at a time that clip layers need little memory."""
    front, n_clips = transforms[0].front, len(waveforms)
    frames = [front.n_frames(n) for n in lengths]
    if min(frames) == 0:
        raise ParameterError(
            f"a clip of {min(lengths)} samples is too short for one frame of {transforms[0].name}; "
            "lengthen it or set center: true"
        )
    clips = n_clips
    if not _has_gradient(transforms, waveforms):
        clips = min(_clips_at_once(transform, n_clips, max(frames), waveforms) for transform in transforms)
    outputs: list[Tensor] = []
    for first in range(0, n_clips, clips):
        rows = slice(first, min(first + clips, n_clips))
        signal = Padded(waveforms[rows], lengths[rows], front.pad_mode)
        finished = finish(front, transforms, signal, range(max(frames)))
        for i, transform in enumerate(transforms):
            values, finished[i] = _with_clip_layers(transform, finished[i], frames[rows]), waveforms[:0]
            if clips == n_clips:
                outputs.append(values)
                continue
            if i == len(outputs):
                outputs.append(room(values, n_clips, max(frames)))
            if is_plain(values):
                _copy_on_one_core(values, outputs[i][rows])
            else:
                outputs[i][rows] = values
    return outputs


def _copy_on_one_core(values: Tensor, to: Tensor) -> None:
    def copy(_: int) -> None:
        to.copy_(values)

    side_by_side(copy, [0])


def _clips_at_once(transform: Transform, n_clips: int, n_frames: int, waveforms: Tensor) -> int:
    if not len(transform.clip_layers) or _mixes_clips(transform):
        return n_clips
    together = LAYERED_BYTES * (workers() if waveforms.device.type == "cpu" else 1)
    return min(n_clips, max(1, together // (transform.n_finished * n_frames * waveforms.itemsize)))


def _with_clip_layers(transform: Transform, specgrams: Tensor, frames: Sequence[int]) -> Tensor:
    """Layers that look at a whole clip see its own frames only; what is beyond them becomes zero."""
    n_frames = specgrams.shape[-1]
    alike = min(frames) == n_frames
    if not alike and _mixes_clips(transform):
        raise ParameterError(f"{transform.name} has a layer over the batch, whose clips must have the same length")
    if len(transform.clip_layers):
        return through(transform.clip_layers, specgrams, frames)
    if alike:
        return specgrams
    if not is_plain(specgrams):
        device = specgrams.device
        beyond = torch.arange(n_frames, device=device) >= torch.tensor(frames, device=device)[:, None, None]
        return specgrams.masked_fill(beyond, 0)

    def clear(row: int) -> None:
        specgrams[row, :, frames[row] :] = 0

    side_by_side(clear, range(len(frames)))
    return specgrams


def _mixes_clips(transform: Transform) -> bool:
    return any(isinstance(layer, Layer) and layer.scope == "batch" for layer in transform.clip_layers)


def _has_gradient(transforms: Sequence[Transform], waveforms: Tensor) -> bool:
    return torch.is_grad_enabled() and (
        waveforms.requires_grad or any(p.requires_grad for t in transforms for p in t.parameters())
    )


def _floating(waveforms: Any) -> Tensor:
    if not isinstance(waveforms, Tensor):
        raise ParameterError(f"waveforms are a {type(waveforms).__name__}; needed is a torch.Tensor")
    if not waveforms.is_floating_point():
        raise ParameterError(f"waveforms are {waveforms.dtype}; needed are floating point samples, full scale -1 … 1")
    return waveforms.float() if waveforms.dtype in (torch.float16, torch.bfloat16) else waveforms
