"""Waveforms that can be read beyond both of their ends.

Frames are centred on ``t · hop_length``, so the first and the last ones reach outside the clip. What stands there
is decided here, once for all engines, and always by the clip's own length: a clip's numbers never depend on
how long its neighbours in a batch are.

The reflection rule: a clip of n samples continues as its mirror image without repeating the end samples,
period 2(n - 1), as often as needed (`numpy.pad` with ``mode="reflect"``). So a clip shorter than half a frame
is reflected more than once, and a clip of a single sample continues as that sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from specconv.errors import ParameterError

PadMode = Literal["reflect", "constant", "replicate"]


class Padded:
    """Read-only view of ``waveforms (batch, time)`` as if each row went on for ever on both sides.

    lengths: samples of each row that are its own; the whole row when None. Each at least 1.
    origin: which sample of the recording column 0 is, for a window that moves along a long recording.
    """

    def __init__(self, waveforms: Tensor, lengths: Sequence[int] | None, mode: PadMode, origin: int = 0) -> None:
        if waveforms.ndim != 2 or 0 in waveforms.shape:
            raise ParameterError(
                f"waveforms have shape {tuple(waveforms.shape)}; needed is (batch, time), neither empty"
            )
        self.waveforms, self.mode, self.origin = waveforms, mode, origin
        self.lengths = [waveforms.shape[1]] * len(waveforms) if lengths is None else [int(n) for n in lengths]
        if len(self.lengths) != len(waveforms) or min(self.lengths) < 1:
            raise ParameterError(
                f"lengths hold {len(self.lengths)} values from {min(self.lengths, default=0)}; needed are "
                f"{len(waveforms)}, one a waveform, each at least 1 sample"
            )

    def read(self, rows: slice, start: int, stop: int) -> Tensor:
        """Samples ``start … stop - 1`` of ``rows``: ``(n_rows, stop - start)``, a view where no end is touched."""
        lengths = self.lengths[rows]
        inside_start, inside_stop = max(start, 0), min(stop, min(lengths))
        clips = self.waveforms[rows]
        if inside_start >= inside_stop:
            return self._beyond(clips, lengths, start, stop)
        middle = clips[:, inside_start - self.origin : inside_stop - self.origin]
        if inside_start == start and inside_stop == stop:
            return middle
        left, right = inside_start - start, stop - inside_stop
        if len(set(lengths)) == 1 and (self.mode == "constant" or max(left, right) < middle.shape[1]):
            return functional.pad(middle, (left, right), mode=self.mode)
        pieces = [middle]
        if start < inside_start:
            pieces.insert(0, self._beyond(clips, lengths, start, inside_start))
        if inside_stop < stop:
            pieces.append(self._beyond(clips, lengths, inside_stop, stop))
        return torch.cat(pieces, dim=1)

    def _beyond(self, clips: Tensor, lengths: Sequence[int], start: int, stop: int) -> Tensor:
        """The same for stretches that lie at least partly outside some clip."""
        position = torch.arange(start, stop, device=clips.device)
        if len(set(lengths)) == 1:
            last = torch.tensor(lengths[0] - 1, device=clips.device)
            values = clips[:, self._source(position, last)]
        else:
            last = torch.tensor(lengths, device=clips.device)[:, None] - 1
            values = clips.gather(1, self._source(position, last).expand(len(clips), -1))
        if self.mode == "constant":
            values = values * ((position >= 0) & (position <= last))
        return values

    def _source(self, position: Tensor, last: Tensor) -> Tensor:
        """The column that a position outside shows."""
        if self.mode == "reflect":
            period = (2 * last).clamp(min=1)
            within = position.remainder(period)
            return torch.minimum(within, period - within).minimum(last) - self.origin
        return position.clamp(min=0).minimum(last) - self.origin


def extended(waveforms: Tensor, left: int, right: int, mode: PadMode) -> Tensor:
    """``waveforms (batch, time)`` with so many samples more at each end: for any length of the time, known or not."""
    if mode == "constant":
        return functional.pad(waveforms, (left, right))
    last = waveforms.shape[1] - 1
    position = torch.arange(waveforms.shape[1] + left + right, device=waveforms.device) - left
    if mode == "reflect":
        position = position.remainder(torch.full_like(position, 2 * last).clamp(min=1))
        position = torch.minimum(position, 2 * last - position)
    return waveforms[:, position.clamp(min=0, max=last)]
