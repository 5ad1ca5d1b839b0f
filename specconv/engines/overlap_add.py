"""From spectra of frames back to the waveform that explains them best: overlap-add.

With frames ``X_t = F (w · x[t·hop …])``, the waveform whose frames differ least from given ones, in squares, is

    x[n] = sum_t w[n - t·hop] · (F⁻¹ X_t)[n - t·hop] / sum_t w[n - t·hop]²

and if the spectra are some waveform's, it is that waveform, wherever a window sees it.

D. W. Griffin and J. S. Lim, "Signal estimation from modified short-time Fourier transform", 1984.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specconv.engines.constant import Constant
from specconv.engines.framed_fft import CPU_BLOCK, GPU_BLOCK, FramedSpectrum, Framing
from specconv.errors import Fault, ParameterError

# The sum of squared windows, relative to its largest, below which rounding in float64 is heard (1e-11 of the peak).
LEAST_OVERLAP = 1e-10


class OverlapAdd:
    """The inverse of a `FramedSpectrum`.

    floor: of the sum of squared windows, relative to its largest. Where the sum is lower the waveform fades out: of
        spectra that are no waveform's, the quotient there is noise. 0 inverts exactly.

    Raises ParameterError if some samples between the frames' centres would be seen by no window.
    """

    def __init__(self, framing: Framing, floor: float = 0.0) -> None:
        self.framing, self.floor = framing, floor
        self.pieces = -(-framing.n_fft // framing.hop_length)
        self._window = FramedSpectrum(framing).window
        self._sums: dict[int, Constant] = {}
        self._largest = self._check()

    def __call__(self, spectra: Tensor, n_samples: int) -> Tensor:
        """``(n_clips, n_fft // 2 + 1, n_frames)`` complex to waveforms ``(n_clips, n_samples)``.

        Samples that no window sees are 0.
        """
        n_clips, _, n_frames = spectra.shape
        hop = self.framing.hop_length
        sums = spectra.new_zeros(n_clips, n_frames + self.pieces - 1, hop, dtype=spectra.real.dtype)
        size = CPU_BLOCK if spectra.device.type == "cpu" else GPU_BLOCK
        block = max(1, size // self.framing.n_fft)
        clips, step = max(1, block // n_frames), min(block, n_frames)
        if spectra.requires_grad:
            clips, step = n_clips, n_frames
        for row in range(0, n_clips, clips):
            for first in range(0, n_frames, step):
                self._add(spectra[row : row + clips, :, first : first + step], sums[row : row + clips, first:])
        # Blocks of hop samples: those that not all of the frames' pieces reach, and those between.
        own = min(n_frames, self.pieces)
        factors = self._factors(own, sums)
        sums[:, : own - 1] *= factors[: own - 1]
        sums[:, own - 1 : n_frames] *= factors[own - 1]
        sums[:, n_frames:] *= factors[own:]
        waveforms = sums.flatten(1)[:, self.framing.left : self.framing.left + n_samples]
        return torch.nn.functional.pad(waveforms, (0, n_samples - waveforms.shape[1]))

    def _add(self, spectra: Tensor, sums: Tensor) -> None:
        frames = torch.fft.irfft(spectra.transpose(1, 2), self.framing.n_fft)
        frames *= self._window.like(frames)
        for i, piece in enumerate(frames.split(self.framing.hop_length, dim=-1)):
            sums[:, i : i + piece.shape[1], : piece.shape[2]] += piece

    def _factors(self, n_frames: int, sums: Tensor) -> Tensor:
        """What sums over so many frames are multiplied with, ``(n_frames + pieces - 1, hop_length)``."""
        if n_frames not in self._sums:
            self._sums = {n_frames: Constant(self._squares(n_frames))}
        weights = self._sums[n_frames].like(sums) / self._largest
        # A window below the rounding of these numbers says nothing.
        seen = weights > torch.finfo(weights.dtype).eps ** 2
        return seen / (weights.clamp(min=max(self.floor, torch.finfo(weights.dtype).tiny)) * self._largest)

    def _squares(self, n_frames: int) -> NDArray[np.float64]:
        """The sum of the squared windows of so many frames, in blocks of hop samples."""
        hop = self.framing.hop_length
        squares = np.zeros((self.pieces, hop))
        squares.ravel()[: self.framing.n_fft] = self._window.values**2
        total = np.zeros((n_frames + self.pieces - 1, hop))
        for frame in range(n_frames):
            total[frame : frame + self.pieces] += squares
        return total

    def _check(self) -> float:
        hop = self.framing.hop_length
        squares = (
            np.pad(self._window.values**2, (0, self.pieces * hop - self.framing.n_fft)).reshape(-1, hop).sum(axis=0)
        )
        if squares.min() <= LEAST_OVERLAP * squares.max():
            raise ParameterError(
                [
                    Fault(
                        "hop_length",
                        f"is {hop} samples; the window {self.framing.window!r} of {self.framing.win_length} leaves "
                        f"sample {int(squares.argmin())} of every {hop} unseen (no nonzero overlap-add), and nothing "
                        "brings it back: lower hop_length, or choose a window that does not end at zero",
                    )
                ]
            )
        return float(squares.max())
