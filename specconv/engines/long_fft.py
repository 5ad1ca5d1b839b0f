"""The front of every bank of kernels: long real FFTs of the waveform, each computed once for all banks.

Kernels of a bank differ in length by a factor of a hundred. A long recording is cut into blocks several times as long
as the kernels they serve (`Fold`), so short kernels do not pay for long ones; banks that need the same blocks
share their spectra, whatever else is in the sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from math import ceil

import torch
from torch import Tensor

from specconv.engines import decimation
from specconv.engines.fourier import rfft
from specconv.engines.front import Block, one_by_one
from specconv.engines.ladder import TILE_FRAMES, TILE_SAMPLES, Fold, power_of_two, rung, tile_frames
from specconv.engines.memory import keep_freed_memory
from specconv.engines.padding import Padded, PadMode
from specconv.engines.threads import is_plain, workers
from specconv.errors import ParameterError

# A product of fewer rows takes another path of the BLAS, and rounds otherwise.
ROWS = 4
SHORTEST_TILE = 2**19  # samples of a long recording; shorter ones make small products
GPU_TILES = 32  # on a GPU so many times more at once: launches cost there, and caches matter less


@dataclass(eq=False)
class Stretch:
    """Some frames of some clips, and the long spectra of them that were asked for so far.

    rows: which clips of ``signal``, all with the same `rung` of frames; frames: which frames of each.
    n_frames: all frames of the longest of these clips: what the choice of FFT depends on.
    """

    signal: Padded
    rows: slice
    frames: range
    n_frames: int
    hop_length: int
    _spectra: dict[tuple[Fold, int], Tensor] = field(default_factory=dict, init=False)
    _latest: tuple[tuple[Fold, range, int], Tensor] | None = field(default=None, init=False)

    @property
    def n_rows(self) -> int:
        return int(self.rows.stop - self.rows.start)

    def framed(self, left: int, length: int) -> Tensor:
        """The frames themselves, ``(n_rows, n_frames, length)``, each from ``left`` samples before its centre."""
        start = self.frames.start * self.hop_length - left
        stop = (self.frames.stop - 1) * self.hop_length - left + length
        return self.signal.read(self.rows, start, stop).unfold(-1, length, self.hop_length)

    def periods(self, fold: Fold, which: range, d: int) -> Tensor:
        """Periods of the blocks' spectra, ``(n_points, n_rows · n_blocks, n_periods)``, and perhaps rows of zeros.

        A period is as many points as a bin has frames in a block: a frame rate's worth of spectrum. Points below 0 Hz
        and beyond Nyquist are conjugates. Asking for the same periods again costs nothing.

        d: decimation of the waveform before the FFT.
        """
        if self._latest is None or self._latest[0] != (fold, which, d):
            n_points = fold.n_points
            points = _extended(self._spectrum(fold, d), fold.n_fft // d, which.start * n_points, which.stop * n_points)
            by_point = points.view(len(points), len(which), n_points).permute(2, 0, 1)
            if is_plain(points) and len(points) % ROWS:
                latest = by_point.new_zeros(n_points, len(points) + -len(points) % ROWS, len(which))
                latest[:, : len(points)] = by_point
            else:
                latest = by_point.contiguous()
            self._latest = (fold, which, d), latest
        return self._latest[1]

    def _spectrum(self, fold: Fold, d: int) -> Tensor:
        """Of every block, the points up to ``n_fft / d / 2``: ``(n_rows · n_blocks, n_fft / d // 2 + 1)``."""
        if (fold, d) not in self._spectra:
            samples = fold.samples(fold.blocks(self.frames))
            if d == 1:
                stretch = self.signal.read(self.rows, samples.start, samples.stop)
            else:
                start = samples.start - decimation.reach(d)
                stop = start + decimation.needed(len(samples) // d, d)
                stretch = decimation.decimate(self.signal.read(self.rows, start, stop), d)
            blocks = stretch[:, : len(samples) // d].unfold(-1, fold.n_fft // d, fold.step // d)
            self._spectra[fold, d] = rfft(blocks).flatten(0, 1)
        return self._spectra[fold, d]


@dataclass(frozen=True, slots=True)
class LongSpectrum:
    """Front of every transform that slides a bank of kernels; blocks of tuples of `Stretch`.

    hop_length: samples. Frame t is centred on ``t · hop_length``.
    pad_mode: what the kernels see beyond the ends of a clip.
    """

    hop_length: int
    pad_mode: PadMode

    @property
    def key(self) -> Hashable:
        return self

    def n_frames(self, n_samples: int) -> int:
        return 1 + n_samples // self.hop_length

    def blocks(
        self, signal: Padded, frames: range, *, whole: bool, together: Callable[[int], int] = one_by_one
    ) -> Iterator[Block]:
        """Tiles of clips and frames, one `Stretch` each; when ``whole`` one block with all of its stretches."""
        keep_freed_memory()
        if whole:
            stretches = tuple(self._stretch(signal, rows, frames, n_frames) for rows, n_frames in self._alike(signal))
            yield Block(slice(0, len(signal.lengths)), slice(frames.start, frames.stop), lambda: stretches)
            return
        on_cpu = signal.waveforms.device.type == "cpu"
        cores = workers() if on_cpu else 1
        tiles = min(1, 2 / cores) if on_cpu else GPU_TILES
        for alike, n_frames in self._alike(signal):
            own = range(frames.start, min(frames.stop, n_frames))
            step = self._step(len(own), n_frames, max(together(n_frames), 1), cores)
            size = min(step, n_frames)
            at_once = int(tiles * min(TILE_SAMPLES // (size * self.hop_length), TILE_FRAMES // size))
            fewest = min(ROWS, max(1, SHORTEST_TILE // 4 // (size * self.hop_length)))
            for rows in _evenly(alike, fewest, max(fewest, at_once), cores):
                # Tiles are counted from the clip's start, as the blocks are, so that none is computed twice.
                for first in range(own.start // step * step, own.stop, step):
                    part = range(max(first, own.start), min(first + step, own.stop))
                    stretch = self._stretch(signal, rows, part, n_frames)
                    yield Block(rows, slice(part.start, part.stop), partial(tuple, [stretch]))

    def _step(self, wanted: int, n_frames: int, together: int, cores: int) -> int:
        """Frames of a tile of one clip: a power of two, or all."""
        longest = tile_frames(self.hop_length)
        if together >= n_frames or (cores == 1 and rung(n_frames) <= 2 * longest):
            return n_frames
        step = power_of_two(-(-wanted // (2 * cores)))
        return max(together, min(max(step, power_of_two(-(-SHORTEST_TILE // self.hop_length))), longest))

    def whole(self, waveforms: Tensor) -> tuple[Stretch, ...]:
        """Raises ParameterError where the shape is not known: the plan of the FFTs depends on it."""
        if any(isinstance(size, torch.SymInt) for size in waveforms.shape):
            raise ParameterError(
                "engine fft plans a bank of kernels for one shape of the waveforms, but the export leaves it open; "
                "build the transform with engine conv1d, or export it for one shape"
            )
        signal = Padded(waveforms, None, self.pad_mode)
        (block,) = self.blocks(signal, range(self.n_frames(waveforms.shape[1])), whole=True)
        stretches: tuple[Stretch, ...] = block.compute()
        return stretches

    def _stretch(self, signal: Padded, rows: slice, frames: range, n_frames: int) -> Stretch:
        frames = range(frames.start, min(frames.stop, n_frames))
        return Stretch(signal, rows, frames, n_frames, self.hop_length)

    def _alike(self, signal: Padded) -> Iterator[tuple[slice, int]]:
        """Runs of clips whose numbers of frames share a rung, with the largest of them."""
        numbers = [self.n_frames(n) for n in signal.lengths]
        start = 0
        for _, run in groupby(numbers, key=rung):
            members = list(run)
            yield slice(start, start + len(members)), max(members)
            start += len(members)


def _evenly(rows: slice, fewest: int, most: int, cores: int) -> Iterator[slice]:
    """The rows in runs of at most so many, if possible as many runs as give every core the same."""
    n_rows = rows.stop - rows.start
    rounds = ceil(ceil(n_rows / most) / cores)
    runs = min(rounds * cores, ceil(n_rows / fewest))
    for i in range(runs):
        yield slice(rows.start + i * n_rows // runs, rows.start + (i + 1) * n_rows // runs)


def _extended(spectrum: Tensor, n_fft: int, first: int, stop: int) -> Tensor:
    """Points ``first … stop - 1``, of any integers, of the whole spectrum whose half is ``(n, n_fft // 2 + 1)``."""
    pieces = []
    while first < stop:
        at = first % n_fft
        if at <= n_fft // 2:
            count = min(stop - first, n_fft // 2 + 1 - at)
            pieces.append(spectrum[:, at : at + count])
        else:
            count = min(stop - first, n_fft - at)
            pieces.append(spectrum[:, n_fft - at - count + 1 : n_fft - at + 1].flip(1).conj())
        first += count
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)
