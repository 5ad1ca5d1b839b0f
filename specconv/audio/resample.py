"""Resampling by a windowed sinc, with torchaudio's definition, for whole waveforms and for blocks.

    y[j] = sum_i x[i] h(i / from_rate - j / to_rate),    h(t) = c sinc(c r t) cos^2(pi c t / 12) / from_rate

for |c t| < 6, where c = 0.99 min(from_rate, to_rate): ``torchaudio.functional.resample`` with its defaults
(sinc_interp_hann, lowpass_filter_width 6, rolloff 0.99; after J. O. Smith, Digital Audio Resampling). Outputs
j and j + to_rate have the same weights on inputs from_rate apart (both rates reduced by their divisor), so it
is a matrix product of overlapping frames with one matrix of weights. Three things differ from torchaudio:

- Weights are made in float64. torchaudio makes them from float32 phases, which costs 1e-5 of the peak; its
  own result for a float64 waveform is met within 1e-6.
- Frames are taken in tiles of a fixed size and place, so a sample is the same to the bit whether its
  neighbours were there or not: in a block, cut to a duration, or whole.
- Coprime rates would need to_rate times from_rate weights, nearly all zero (gigabytes for 44,100 to 22,051
  Hz). Outputs are grouped, and a group keeps only the band of inputs that it hears.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache

import torch
from torch import Tensor

from specconv.errors import ParameterError

_ZERO_CROSSINGS = 6
_ROLLOFF = 0.99
_TILE_SAMPLES = 1 << 15  # of input: stays in the L2 cache
_DENSE_WEIGHTS = 1 << 19  # up to here one matrix is faster than bands
_MOST_WEIGHTS = 1 << 24  # 64 MB
_MOST_RATIO = 1024


class Resampler:
    """From one rate to another; made by ``resampler``, holds weights only and may serve many threads.

    up, down: the rates divided by their greatest common divisor, to / from.
    """

    def __init__(self, up: int, down: int) -> None:
        self.up, self.down = up, down
        cutoff = _ROLLOFF * min(up, down)
        self._margin = math.ceil(_ZERO_CROSSINGS * down / cutoff)  # inputs heard on each side
        # A frame is `step` inputs and `width` outputs; few outputs a frame make a slow product.
        frames = 1 + 15 // up if 16 * self._band(16, up, down) <= _DENSE_WEIGHTS else 1
        self._step, self._width = frames * down, frames * up
        group = self._group_size()
        n_groups = -(-self._width // group)
        self._starts = torch.arange(n_groups) * (group * self._step) // self._width
        self._weights = self._make_weights(group, cutoff)
        self._frames = max(_TILE_SAMPLES // self._step, 1)
        self._stride = self._frames * self._step
        band = self._weights.shape[1]
        self._reach = self._stride - self._step + int(self._starts[-1]) + band
        if n_groups > 1:
            frame = torch.arange(self._frames)[:, None] * self._step
            self._index = self._starts[:, None, None] + frame + torch.arange(band)

    def length(self, n_samples: int) -> int:
        """Samples that ``n_samples`` become: as many as lie within them."""
        return -(-n_samples * self.up // self.down)

    def needed(self, n_samples: int) -> int:
        """Samples to give so that the first ``n_samples`` that come out are final."""
        return max(n_samples - 1, 0) * self.down // self.up + self._margin + 2

    def __call__(self, waveform: Tensor) -> Tensor:
        """(time,) float32 to (length(time),) float32; silence is assumed on both sides."""
        n_out = self.length(len(waveform))
        return self._tiles(self._padded(waveform, self._margin, n_out), self._n_tiles(n_out))[:n_out]

    def blocks(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        """The same to the bit for a waveform that comes in blocks, in blocks of its own sizes."""
        received = sent = 0
        pending = torch.zeros(self._margin)
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
            yield self._tiles(self._padded(pending, 0, left), self._n_tiles(left))[:left]

    def _n_tiles(self, n_out: int) -> int:
        return -(-n_out // (self._frames * self._width))

    def _padded(self, waveform: Tensor, before: int, n_out: int) -> Tensor:
        length = (self._n_tiles(n_out) - 1) * self._stride + self._reach
        return torch.nn.functional.pad(waveform, (before, max(length - before - len(waveform), 0)))

    def _tiles(self, padded: Tensor, n_tiles: int) -> Tensor:
        """The outputs of the first tiles of an input that begins ``_margin`` before the first output."""
        out = torch.empty(n_tiles, self._frames, self._width)
        n_groups, band, _ = self._weights.shape
        for tile in range(n_tiles):
            heard = padded[tile * self._stride : tile * self._stride + self._reach]
            if n_groups == 1:
                torch.mm(heard.unfold(0, band, self._step), self._weights[0], out=out[tile])
            else:
                by_group = torch.bmm(heard[self._index], self._weights)  # (group, frame, output)
                out[tile] = by_group.transpose(0, 1).reshape(self._frames, -1)[:, : self._width]
        return out.view(-1)

    def _group_size(self) -> int:
        """Outputs that share a band: all of a frame if that is cheap, else as many as double the band."""
        if self._width * self._band(self._width, self.up, self.down) <= _DENSE_WEIGHTS:
            return self._width
        group = max(2 * self._margin * self.up // self.down, 1)
        while group > 1 and self._width * self._band(group, self.up, self.down) > _MOST_WEIGHTS:
            group //= 2
        return group

    def _band(self, group: int, up: int, down: int) -> int:
        """Inputs heard by ``group`` neighbouring outputs."""
        return (group - 1) * down // up + 2 * self._margin + 2

    def _make_weights(self, group: int, cutoff: float) -> Tensor:
        """(group, input, output) float32."""
        band = torch.arange(self._band(group, self.up, self.down))[:, None] - self._margin
        weights = torch.empty(len(self._starts), len(band), group)
        for k, start in enumerate(self._starts.tolist()):
            outputs = k * group + torch.arange(group)
            # (i / down - j / up) in exact integers, then in units of zero crossings
            crossings = ((start + band) * self.up - outputs * self.down).double() * (cutoff / (self.up * self.down))
            crossings.clamp_(-_ZERO_CROSSINGS, _ZERO_CROSSINGS)
            window = torch.cos(crossings * (math.pi / (2 * _ZERO_CROSSINGS))) ** 2
            weights[k] = torch.sinc(crossings) * window * (cutoff / self.down)
        return weights


def resampler(from_rate: int, to_rate: int) -> Resampler:
    """The resampler between two rates in Hz; kept, for its weights are costlier than their use.

    Raises ParameterError for rates more than 1024 times apart, or so large and coprime (above 1 MHz) that
    2^24 weights do not do.
    """
    if from_rate < 1 or to_rate < 1:
        raise ParameterError(f"{from_rate} Hz to {to_rate} Hz: a sample rate is at least 1 Hz")
    change = f"{from_rate} Hz to {to_rate} Hz"
    if max(from_rate, to_rate) > _MOST_RATIO * min(from_rate, to_rate):
        cure = "choose a sample_rate nearer to the audio's, or correct the audio's header"
        raise ParameterError(f"{change} is a factor of more than {_MOST_RATIO}; {cure}")
    divisor = math.gcd(from_rate, to_rate)
    up, down = to_rate // divisor, from_rate // divisor
    n_weights = round(up * 2 * _ZERO_CROSSINGS * max(down / up, 1) / _ROLLOFF)
    if n_weights > _MOST_WEIGHTS:
        cure = "choose a sample_rate that shares a larger divisor with the audio's"
        raise ParameterError(f"{change} needs {n_weights} filter weights, at most {_MOST_WEIGHTS}; {cure}")
    return _resampler(up, down)


@lru_cache(maxsize=8)
def _resampler(up: int, down: int) -> Resampler:
    return Resampler(up, down)
