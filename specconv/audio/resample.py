"""Resampling by a windowed sinc, for whole waveforms and for blocks.

    y[j] = sum_i x[i] h(i / from_rate - j / to_rate)
    h(t) = c sinc(c t) I0(beta sqrt(1 - (c t / 36)^2)) / I0(beta) / from_rate    for |c t| < 36

with c = 0.97 min(from_rate, to_rate) and beta = 9 (a Kaiser window). Let N be the Nyquist frequency of the lower rate.
The gain is flat within 0.01 dB up to 0.9 N, -18 dB at N, and below -90 dB from 1.05 N on: nothing that one can hear
folds back (or, when the rate goes up, is mirrored). Torchaudio makes the same filter:
``torchaudio.functional.resample(..., lowpass_filter_width=36, rolloff=0.97, resampling_method="sinc_interp_kaiser",
beta=9.0)``. Its default is a filter of 6 zero crossings, which lets frequencies just above N pass at -11 dB; so did
specconv before version 0.2.

Both rates are divided by their greatest common divisor. Outputs ``up`` apart then have the same weights on inputs
``down`` apart, so it is a matrix product of overlapping frames with a matrix of weights:

- A frame's outputs are taken in groups of 32, and each group multiplies only the inputs that it needs.
- Weights are made in float64. Torchaudio makes them from float32 phases, which costs 1e-5 of the peak.
- Frames are taken in tiles of one size at fixed places. So a sample has the same digits in a block, in a waveform that
  is cut to a duration, and in the whole waveform.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache

import torch
from torch import Tensor

from specconv.errors import ParameterError

_ZERO_CROSSINGS = 36
_ROLLOFF = 0.97
_BETA = 9.0
_GROUP = 32  # outputs; fewer make slow products, more multiply zeros
_TILE_SAMPLES = 1 << 16  # of input and of output: stays in the L2 cache
_LEAST_FRAMES = 8  # of a tile: coprime rates have megabytes of weights, and each is read once a tile
_MOST_WEIGHTS = 1 << 25  # 128 MB
_MOST_RATIO = 1024


class Resampler:
    """From one rate to another; made by ``resampler``, holds weights only and may serve many threads.

    up, down: the rates divided by their greatest common divisor, to / from.
    """

    def __init__(self, up: int, down: int) -> None:
        self.up, self.down = up, down
        self._margin = _margin(up, down)
        # A frame is `step` inputs and `width` outputs, long enough that a group's inputs lie within a step: of frames
        # that overlap more, a product makes a copy.
        repeats = -(-(2 * self._margin + 2 + _GROUP * down // up) // down)
        if repeats > 1:
            whole = _GROUP // math.gcd(_GROUP, up)  # frames of so many hold no group that is cut short
            repeats = -(-repeats // whole) * whole
        self._step, self._width = repeats * down, repeats * up
        self._frames = max(_TILE_SAMPLES // max(self._step, self._width), _LEAST_FRAMES)
        self._stride = self._frames * self._step
        self._groups: list[tuple[int, Tensor]] = []  # the first input that a group needs, and its weights
        made: dict[tuple[int, int], Tensor] = {}
        for first in range(0, self._width, _GROUP):
            phase, n_outputs = first % up, min(_GROUP, self._width - first)
            if (phase, n_outputs) not in made:
                made[phase, n_outputs] = self._weights(phase, n_outputs)
            self._groups.append((first * down // up, made[phase, n_outputs]))
        start, weights = self._groups[-1]
        self._reach = self._stride - self._step + start + len(weights)

    def length(self, n_samples: int) -> int:
        """Samples that ``n_samples`` become: as many as lie within them."""
        return -(-n_samples * self.up // self.down)

    def needed(self, n_samples: int) -> int:
        """Samples to give so that the first ``n_samples`` that come out are final."""
        return max(n_samples - 1, 0) * self.down // self.up + self._margin + 2

    def __call__(self, waveform: Tensor) -> Tensor:
        """(time,) float32 to (length(time),) float32; silence is assumed on both sides."""
        n_out = self.length(len(waveform))
        return self._tiles(waveform, self._n_tiles(n_out), before=self._margin)[:n_out]

    def blocks(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        """The same to the bit for a waveform that comes in blocks, in blocks of its own sizes."""
        received = sent = 0
        pending = torch.zeros(self._margin, dtype=torch.float32, device="cpu")
        for block in blocks:
            received += len(block)
            pending = torch.cat([pending, block])
            n_tiles = (len(pending) - self._reach) // self._stride + 1
            if n_tiles > 0:
                out = self._tiles(pending, n_tiles)
                pending = pending[n_tiles * self._stride :]
                sent += len(out)
                yield out
        left = self.length(received) - sent
        if left > 0:
            yield self._tiles(pending, self._n_tiles(left))[:left]

    def _n_tiles(self, n_out: int) -> int:
        return -(-n_out // (self._frames * self._width))

    def _tiles(self, waveform: Tensor, n_tiles: int, before: int = 0) -> Tensor:
        """The outputs of the first tiles. The first tile begins ``before`` samples ahead of ``waveform``."""
        out = torch.empty(n_tiles, self._frames, self._width, dtype=torch.float32, device="cpu")
        # A copy: the digits could depend on where in memory a tile lies.
        inputs = torch.empty(self._reach, dtype=torch.float32, device="cpu")
        for tile in range(n_tiles):
            start = tile * self._stride - before
            zeros = max(-start, 0)
            given = waveform[start + zeros : max(start + self._reach, 0)]
            inputs[:zeros] = 0
            inputs[zeros : zeros + len(given)] = given
            inputs[zeros + len(given) :] = 0
            for number, (first, weights) in enumerate(self._groups):
                frames = inputs.as_strided((self._frames, len(weights)), (self._step, 1), first)
                torch.mm(frames, weights, out=out[tile, :, number * _GROUP : (number + 1) * _GROUP])
        return out.view(-1)

    def _weights(self, first: int, n_outputs: int) -> Tensor:
        """(input, output) float32: from the first input that output ``first`` needs to the last of the last output."""
        start = first * self.down // self.up
        n_inputs = (first + n_outputs - 1) * self.down // self.up - start + 2 * self._margin + 2
        inputs = start - self._margin + torch.arange(n_inputs, device="cpu")[:, None]
        outputs = torch.arange(first, first + n_outputs, device="cpu")
        cutoff = _ROLLOFF * min(self.up, self.down)
        # (i / down - j / up) in exact integers, then in units of zero crossings
        crossings = (inputs * self.up - outputs * self.down).double() * (cutoff / (self.up * self.down))
        within = (1 - (crossings / _ZERO_CROSSINGS).square()).clamp_(min=0)
        beta = torch.tensor(_BETA, dtype=torch.float64, device="cpu")
        window = torch.special.i0(beta * within.sqrt()) / torch.special.i0(beta)
        window[within == 0] = 0
        weights: Tensor = torch.sinc(crossings) * window * (cutoff / self.down)
        return weights.float()


def resampler(from_rate: int, to_rate: int) -> Resampler:
    """The resampler between two rates in Hz; kept, for its weights are costlier than their use.

    Raises ParameterError for rates more than 1024 times apart, or so large and coprime (above 250 kHz) that
    2^25 weights are not enough.
    """
    if from_rate < 1 or to_rate < 1:
        raise ParameterError(f"{from_rate} Hz to {to_rate} Hz: a sample rate is at least 1 Hz")
    change = f"{from_rate} Hz to {to_rate} Hz"
    if max(from_rate, to_rate) > _MOST_RATIO * min(from_rate, to_rate):
        cure = "choose a sample_rate nearer to the audio's, or correct the audio's header"
        raise ParameterError(f"{change} is a factor of more than {_MOST_RATIO}; {cure}")
    divisor = math.gcd(from_rate, to_rate)
    up, down = to_rate // divisor, from_rate // divisor
    n_weights = up * 2 * _margin(up, down) + _GROUP * down
    if n_weights > _MOST_WEIGHTS:
        cure = "choose a sample_rate that shares a larger divisor with the audio's"
        raise ParameterError(f"{change} needs {n_weights} filter weights, at most {_MOST_WEIGHTS}; {cure}")
    return _resampler(up, down)


def _margin(up: int, down: int) -> int:
    """Inputs that an output needs on each side."""
    return math.ceil(_ZERO_CROSSINGS * down / (_ROLLOFF * min(up, down)))


@lru_cache(maxsize=8)
def _resampler(up: int, down: int) -> Resampler:
    return Resampler(up, down)
