"""Which stretch of a recording goes through one long FFT, and how long that FFT is.

Everything here depends on the hop, on the reach of the kernels and on the clip's own length alone, so that a clip's
numbers never depend on its neighbours in a batch, on the other transforms of a sweep, or on where a stream was cut.

Lengths come from small ladders, so that kernel spectra are built once and used for many clips, and so that banks
of different kernels share the spectrum of the waveform.
"""

from __future__ import annotations

from dataclasses import dataclass

# Frames and samples of a clip that are worked on together by one core: 2^20 samples with their spectrum and one
# bank's result stay far below 128 MB.
TILE_SAMPLES = 2**20
TILE_FRAMES = 2**12
# A long recording goes in blocks of at least so many samples. On the machine measured a real FFT of 2^17 to 2^18
# samples takes 2.2 ns a sample, of 2^20 4.3 ns and of 2^21 13 ns.
SHORTEST_BLOCK = 2**17
# The kernels of a bank share a spectrum unless they reach further than this and than a quarter of the clip.
SHARED_REACH = 2**14


@dataclass(frozen=True, slots=True)
class Fold:
    """Frames in blocks of ``n_frames``, each block from one real FFT of ``n_fft = hop_length · n_points`` samples.

    margin: frames on either side of a block's own whose samples its kernels see.
    n_frames: frames of a block; block i holds the frames ``i · n_frames`` and on, counted from the clip's start.
    n_points: points of the short inverse FFT of each bin, at least ``n_frames + 2 · margin``.
    """

    hop_length: int
    margin: int
    n_frames: int
    n_points: int

    @property
    def n_fft(self) -> int:
        return self.hop_length * self.n_points

    @property
    def step(self) -> int:
        """Samples from one block to the next."""
        return self.hop_length * self.n_frames

    def blocks(self, frames: range) -> range:
        """The blocks that hold these frames."""
        return range(frames.start // self.n_frames, -(-frames.stop // self.n_frames))

    def samples(self, blocks: range) -> range:
        """The samples that these blocks are computed from, counted from the clip's start; they reach beyond it."""
        start = blocks.start * self.step - self.margin * self.hop_length
        return range(start, start + (len(blocks) - 1) * self.step + self.n_fft)


def fold(hop_length: int, n_frames: int, reach: int, longest: int = 1) -> Fold:
    """The fold for kernels that reach at most ``reach`` samples to either side, and a clip of ``n_frames`` frames.

    hop_length, n_frames, reach: at least 1; n_frames counts as the `rung` above it.
    longest: the reach of the longest kernel of the same bank.
    """
    n_frames = rung(n_frames)
    shared = min(power_of_two(n_frames * hop_length) // 4, SHARED_REACH, power_of_two(longest))
    reach = max(power_of_two(reach), shared)
    margin = -(-reach // hop_length)
    block = block_frames(hop_length, reach)
    if n_frames > 2 * block:
        n_frames = block
    return Fold(hop_length, margin, n_frames, _smooth(n_frames + 2 * margin))


def block_frames(hop_length: int, reach: int) -> int:
    """Frames of a block of a long recording: a power of two, so that the blocks of all kernels nest."""
    samples = max(SHORTEST_BLOCK, 4 * power_of_two(reach))
    return min(power_of_two(-(-samples // hop_length)), tile_frames(hop_length))


def tile_frames(hop_length: int) -> int:
    """Frames of one recording that are worked on together: a power of two, at least one block of any kernels."""
    return min(power_of_two(-(-TILE_SAMPLES // hop_length)), TILE_FRAMES)


def rung(n: int) -> int:
    """The smallest of 1 … 8, 10, 12, 14, 16, 20 … that is not below ``n``: four an octave.

    Clips of one rung share their weights. Four cost a clip 11 % more points in the mean, eight would 6 %; but a folder
    of short clips of all lengths then has twice the weights to build, each for as long as 60 such clips are computed.
    """
    step = max(1, power_of_two(n) // 8)
    return -(-n // step) * step


def power_of_two(n: int) -> int:
    """The smallest power of two that is not below ``n``."""
    return 1 << (n - 1).bit_length()


def _smooth(n: int) -> int:
    """The smallest number without prime factors beyond 7 that is not below ``n``; from 32 on a multiple of 4."""
    step = 4 if n >= 32 else 1
    candidate = -(-n // step)
    while not _is_smooth(candidate):
        candidate += 1
    return step * candidate


def _is_smooth(n: int) -> bool:
    for prime in (2, 3, 5, 7):
        while n % prime == 0:
            n //= prime
    return n == 1
