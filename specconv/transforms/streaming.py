"""Specgrams of a recording that is too long for memory, with exactly the numbers of the whole.

Samples come in blocks of any size and frames leave as soon as the samples that they see have come. Every front is
cut on the grid that it has for a long recording, so where the blocks end has no influence on a number. Layers
that must see the whole clip (the decibels' top_db, a normalization) work on what is finished, from a file, in
as many passes as they need.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from specconv.engines.memory import give_back, is_out_of_memory
from specconv.engines.padding import Padded
from specconv.engines.precision import full_precision
from specconv.layers.base import ClipLayer, Layer
from specconv.transforms.base import Transform
from specconv.transforms.computing import by_front, finish
from specconv.transforms.layering import stretch_frames

LONG = 2**40  # frames: more than any recording has
FEWEST_SAMPLES = 2**8  # of a block that is not halved any more


def shortest_stream(transforms: Sequence[Transform]) -> int:
    """Samples from which on a recording has a frame of each and, as a whole, is cut on the same grid as a stream."""
    n_samples = 1
    for transform in transforms:
        grid = transform.reach.grid
        while not (n_frames := transform.n_frames(n_samples)) or grid(n_frames) != grid(LONG):
            n_samples *= 2
    return n_samples


def stream(
    transforms: Sequence[Transform], blocks: Iterable[Tensor], spool_folder: Path
) -> Iterator[dict[str, Tensor]]:
    """Specgrams of one recording given as blocks of samples ``(time,)``, at least `shortest_stream` in all.

    Yields frames ``(n_bins, any number)`` of each transform by its name, in order. spool_folder: where the finished
    frames of transforms with clip layers wait for the end, in files without a name.
    """
    clip_layers = {t.name: t.clip_layers for t in transforms if len(t.clip_layers)}
    spools = {name: Spool(spool_folder) for name in clip_layers}
    recording = _Recording(transforms)
    for block, is_last in _with_last(blocks):
        for part in recording.hear(block, is_last=is_last):
            for name in spools.keys() & part.keys():
                spools[name].append(part.pop(name))
            yield _complete(transforms, part, block.device)
    for name, spool in spools.items():
        for layer in clip_layers[name]:
            with full_precision(spool.device.type):
                spool = _through(layer, spool, spool_folder)
        for values in spool.blocks():
            yield _complete(transforms, {name: values}, values.device)


def _complete(transforms: Sequence[Transform], part: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """The part with no frames for the transforms that have none in it."""
    return {t.name: part.get(t.name, torch.zeros(t.n_bins, 0, dtype=t.dtype, device=device)) for t in transforms}


class _Recording:
    """The samples of a recording that are still needed, and the frames that are done."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self._groups = [[transforms[i] for i in group] for group in by_front(transforms)]
        self._done = [0] * len(self._groups)
        self._samples, self._origin = torch.zeros(0), 0
        self._most = LONG  # samples that fit into memory together

    def hear(self, block: Tensor, *, is_last: bool) -> Iterator[dict[str, Tensor]]:
        """Frames of transforms before their clip layers, as the samples of ``block`` make them ready.

        A block that does not fit into memory is heard in halves, and so are the blocks after it.
        """
        waiting = list(torch.split(block, self._most))
        while waiting:
            fits = True
            try:
                yield from self._hear(waiting[0], is_last=is_last and len(waiting) == 1)
            except Exception as error:
                if len(waiting[0]) <= FEWEST_SAMPLES or not is_out_of_memory(error):
                    raise
                fits = False
            # Here nothing holds what the failed attempt took, as the exception did.
            if fits:
                del waiting[0]
            else:
                give_back(block.device)
                self._most = -(-len(waiting[0]) // 2)
                waiting[:1] = torch.split(waiting[0], self._most)

    def _hear(self, block: Tensor, *, is_last: bool) -> Iterator[dict[str, Tensor]]:
        """If it fails half way, what was done stays done and the block can be heard again."""
        samples = torch.cat([self._samples.to(block), block])
        received = self._origin + len(samples)
        for g, members in enumerate(self._groups):
            front, done = members[0].front, self._done[g]
            stop = front.n_frames(received) if is_last else _ready(members, done, received)
            if stop > done:
                signal = Padded(samples[None], [received if is_last else LONG], front.pad_mode, self._origin)
                finished = finish(front, members, signal, range(done, stop))
                self._done[g] = stop
                yield {t.name: values[0] for t, values in zip(members, finished, strict=True)}
        oldest = min(_oldest(t, done) for done, members in zip(self._done, self._groups, strict=True) for t in members)
        keep_from = min(max(oldest, self._origin), received)
        self._samples, self._origin = samples[keep_from - self._origin :].clone(), keep_from


def _ready(members: Sequence[Transform], done: int, received: int) -> int:
    """The frame after the last that sees nothing beyond the samples ``received``, for all of ``members``."""

    def sees(stop: int) -> int:
        reaches = [transform.reach.samples(range(done, stop), LONG) for transform in members]
        # A reflection at the start shows samples as far behind it as a frame reaches before it.
        return max(max(reach.stop, 1 - reach.start) for reach in reaches)

    low, high = done, done + received // members[0].hop_length + 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sees(middle) <= received else (low, middle - 1)
    return low


def _oldest(transform: Transform, frame: int) -> int:
    """The first sample that may be read when ``frame`` is the next: it, or its mirror image at the end, is seen."""
    first = transform.reach.samples(range(frame, frame + 1), LONG)
    return first.start - len(first)


def _with_last(blocks: Iterable[Tensor]) -> Iterator[tuple[Tensor, bool]]:
    iterator = iter(blocks)
    current = next(iterator, None)
    while current is not None:
        following = next(iterator, None)
        yield current, following is None
        current = following


class Spool:
    """Blocks of frames in a file that vanishes with it."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # lives as long as the spool
        self._shapes: list[tuple[int, int]] = []
        self.device = torch.device("cpu")

    def append(self, values: Tensor) -> None:
        """values: ``(n_bins, n_frames)`` float32 or float64, stored as float32."""
        if values.shape[1]:
            self._shapes.append((values.shape[0], values.shape[1]))
            self.device = values.device
            # Not numpy's tofile: of a full disk it says how much was written, and not why no more.
            self._file.write(values.cpu().float().contiguous().numpy().data)

    @property
    def n_bins(self) -> int:
        return self._shapes[0][0] if self._shapes else 1

    def blocks(self) -> Iterator[Tensor]:
        """What was appended, in order, on the device that it came from."""
        offset = 0
        for n_bins, n_frames in self._shapes:
            self._file.seek(offset)
            values = np.empty((n_bins, n_frames), np.float32)
            self._file.readinto(values.data)
            offset += values.nbytes
            yield torch.from_numpy(values).to(self.device)


def _through(layer: nn.Module, spool: Spool, folder: Path) -> Spool:
    """All blocks of a spool through one layer, in one more pass if it must know the whole clip first.

    They pass in the stretches that a whole clip is cut into, so that statistics have the same digits.
    """
    result = Spool(folder)

    def stretches() -> Iterator[Tensor]:
        return _cut(spool.blocks(), stretch_frames(spool.n_bins))

    if isinstance(layer, ClipLayer) and layer.scope == "clip":
        known = None
        for values in stretches():
            known = layer.observe(values[None], known)
        for values in stretches():
            result.append(layer.adjust(values[None], known)[0])
        return result
    context = layer.context if isinstance(layer, Layer) else 0
    for values, before, after in _with_neighbours(stretches(), context):
        wide = torch.cat([before, values, after], dim=1)
        own = slice(before.shape[1], before.shape[1] + values.shape[1])
        result.append(layer(wide[None])[0][:, own])
    return result


def _cut(blocks: Iterator[Tensor], n_frames: int) -> Iterator[Tensor]:
    """The same frames in blocks of ``n_frames``; the last may have fewer."""
    waiting: list[Tensor] = []
    count = 0
    for block in blocks:
        waiting.append(block)
        count += block.shape[1]
        if count >= n_frames:
            joined = torch.cat(waiting, dim=1)
            whole = count // n_frames * n_frames
            yield from torch.split(joined[:, :whole], n_frames, dim=1)
            waiting, count = [joined[:, whole:]], count - whole
    if count:
        yield torch.cat(waiting, dim=1)


def _with_neighbours(blocks: Iterator[Tensor], context: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Each block with the ``context`` frames before and after it, fewer only at the ends of the clip.

    Blocks shorter than the context are joined to the one before.
    """
    before: Tensor | None = None
    current: Tensor | None = None
    for block in blocks:
        if current is None:
            current = block
        elif block.shape[1] < context or current.shape[1] < context:
            current = torch.cat([current, block], dim=1)
        else:
            none = current[:, :0]
            yield current, none if before is None else before, block[:, :context]
            before, current = current[:, current.shape[1] - context :], block
    if current is not None:
        yield current, current[:, :0] if before is None else before, current[:, :0]
