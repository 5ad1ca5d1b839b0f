"""The specgrams of some clips, computed together, each clip's own frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from specconv.audio import similar_lengths
from specconv.engines.memory import give_back, is_out_of_memory
from specconv.transforms import TransformSet

Frames = NDArray[Any]

PADDING_WASTE = 0.2  # of the samples of a batch, at most, where clips differ in length


@dataclass(frozen=True)
class Computed:
    """fits: for each clip, whether the device's memory could hold it.

    specgrams: of those that fit, in order, by the transforms' names: arrays ``(n_bins, n_frames)`` of one clip, or
        ``(n, n_bins, n_frames)`` of n clips.
    """

    fits: list[bool]
    specgrams: dict[str, list[Frames]]


def compute(transforms: TransformSet, device: torch.device, waveforms: Sequence[Tensor]) -> Computed:
    """Return the specgrams of waveforms ``(time,)`` of any lengths.

    Clips of similar length are computed together; that changes none of their numbers. A device that runs out of memory
    gets half as many at a time.
    """
    lengths = [len(waveform) for waveform in waveforms]
    if len(set(lengths)) == 1:
        parts = list(_halved(transforms, device, waveforms))
        return Computed(
            [values is not None for n, values in parts for _ in range(n)],
            {name: [values[name] for _, values in parts if values is not None] for name in transforms.by_name},
        )
    clips: list[dict[str, Frames] | None] = [None] * len(lengths)
    for group in similar_lengths(lengths, PADDING_WASTE, 2 * sum(lengths)):
        done = 0
        for n, values in _halved(transforms, device, [waveforms[i] for i in group]):
            for row, i in enumerate(group[done : done + n]):
                clips[i] = None if values is None else _own(transforms, values, row, lengths[i])
            done += n
    fitting = [clip for clip in clips if clip is not None]
    return Computed(
        [clip is not None for clip in clips], {name: [clip[name] for clip in fitting] for name in transforms.by_name}
    )


def single_clips(blocks: Sequence[Frames]) -> Iterator[Frames]:
    """Yield the clips of arrays as `Computed` has them, each ``(n_bins, n_frames)``."""
    for block in blocks:
        yield from [block] if block.ndim == 2 else block


def _own(transforms: TransformSet, values: dict[str, Frames], row: int, n_samples: int) -> dict[str, Frames]:
    """Return one clip's frames without those of its padding."""
    return {name: values[name][row, :, : t.n_frames(n_samples)] for name, t in transforms.by_name.items()}


def _halved(
    transforms: TransformSet, device: torch.device, waveforms: Sequence[Tensor]
) -> Iterator[tuple[int, dict[str, Frames] | None]]:
    """Yield a number of clips and their specgrams, in order; None for a clip that does not fit alone."""
    try:
        values = _batch(transforms, device, waveforms)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        values = None
    # The exception is gone here, and with it what the failed attempt held.
    if values is not None or len(waveforms) == 1:
        yield len(waveforms), values
        return
    give_back(device)
    half = (len(waveforms) + 1) // 2
    yield from _halved(transforms, device, waveforms[:half])
    yield from _halved(transforms, device, waveforms[half:])


def _batch(transforms: TransformSet, device: torch.device, waveforms: Sequence[Tensor]) -> dict[str, Frames]:
    lengths = [len(waveform) for waveform in waveforms]
    if len(set(lengths)) == 1:
        batch, own = torch.stack(list(waveforms)), None
    else:
        batch, own = torch.nn.utils.rnn.pad_sequence(list(waveforms), batch_first=True), lengths
    with torch.inference_mode():
        specgrams = transforms(batch.to(device), own)
        return {name: values.cpu().numpy() for name, values in specgrams.items()}
