"""Waveforms from magnitudes alone: the phases are found by going back and forth between spectra and waveforms.

N. Perraudin, P. Balazs and P. L. Søndergaard, "A fast Griffin-Lim algorithm", 2013, after D. W. Griffin and J. S. Lim,
"Signal estimation from modified short-time Fourier transform", 1984:

    c_i = STFT(ISTFT(S · phase(t_{i-1})))           the nearest spectra that are a waveform's
    t_i = c_i + momentum · (c_i - c_{i-1})

with S the magnitudes; momentum 0 is Griffin's and Lim's own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from specconv.engines.framed_fft import FramedSpectrum
from specconv.engines.front import Block
from specconv.engines.overlap_add import OverlapAdd
from specconv.engines.padding import Padded
from specconv.engines.threads import concatenated, on_cores
from specconv.errors import Fault, ParameterError
from specconv.transforms.base import Transform
from specconv.transforms.inverse import Inverse
from specconv.transforms.inverse_stft import uniform

POINTS = 2**22  # of spectrum that are iterated together: with their copies a quarter of a gigabyte
# Where the windows' squares sum to less than this, at the ends of frames that begin in the clip, what the spectra
# contradict each other by would be heard as a click.
FLOOR = 1e-2


class GriffinLim(Inverse):
    """Waveforms whose short-time spectra have nearly the magnitudes (or powers) given. Not differentiable.

    iterations: at least 1. momentum: 0 … 1. seed: of the phases that it begins with, the same for every clip: a
    clip's waveform depends on nothing else.

    Phases are lost for good: the result sounds like the source, but its samples are others.
    """

    types = ("stft",)
    scales = ("magnitude", "power")

    def __init__(self, transform: Transform, *, iterations: int = 32, momentum: float = 0.99, seed: int = 0) -> None:
        super().__init__(transform)
        faults = []
        if iterations < 1:
            faults.append(Fault("iterations", f"is {iterations}; must be at least 1"))
        if not 0 <= momentum <= 1:
            faults.append(Fault("momentum", f"is {momentum:g}; must be from 0 to 1"))
        if faults:
            raise ParameterError(faults)
        parameters = uniform(transform)
        self.iterations, self.momentum, self.seed = iterations, momentum, seed
        self._is_power = parameters.scale == "power"
        self._spectrum = FramedSpectrum(parameters.framing)
        self._overlap_add = OverlapAdd(parameters.framing, FLOOR)

    @torch.no_grad()
    def inverted(self, specgram: Tensor, n_samples: int) -> Tensor:
        magnitudes = specgram.clamp(min=0).to(torch.promote_types(specgram.dtype, torch.float32))
        if self._is_power:
            magnitudes = magnitudes.sqrt()
        _, n_bins, n_frames = magnitudes.shape
        clips = max(1, POINTS // (n_bins * n_frames))
        if len(magnitudes) == 1:
            return self._found(magnitudes, n_samples)
        return concatenated(lambda part: self._found(part, n_samples), magnitudes, clips)

    def _found(self, magnitudes: Tensor, n_samples: int) -> Tensor:
        magnitudes = magnitudes.transpose(1, 2).contiguous()  # frames of bins, as the FFT takes and leaves them
        spectra = torch.polar(magnitudes, self._phases(magnitudes).expand_as(magnitudes))
        previous = torch.zeros_like(spectra)
        frames = range(spectra.shape[1])
        for _ in range(self.iterations):
            signal = Padded(self._waveforms(spectra, n_samples), None, self._spectrum.pad_mode)
            blocks = self._spectrum.blocks(signal, frames, whole=False)
            on_cores(spectra, lambda block: self._improve(block, magnitudes, spectra, previous), list(blocks))
        return self._waveforms(spectra, n_samples)

    def _improve(self, block: Block, magnitudes: Tensor, spectra: Tensor, previous: Tensor) -> None:
        where = block.rows, block.frames
        consistent = block.compute().complex.transpose(1, 2)
        # In the direction of t_i, by a factor that the magnitudes take out again.
        ahead = torch.view_as_real(consistent - self.momentum / (1 + self.momentum) * previous[where])
        power = ahead.square().sum(-1).add_(torch.finfo(ahead.dtype).tiny)
        factors = power.rsqrt_().mul_(magnitudes[where])
        torch.mul(ahead, factors[..., None], out=torch.view_as_real(spectra)[where])
        previous[where] = consistent

    def _waveforms(self, spectra: Tensor, n_samples: int) -> Tensor:
        found: list[Tensor] = []
        on_cores(spectra, lambda _: found.append(self._overlap_add(spectra.transpose(1, 2), n_samples)), [0])
        return found[0]

    def _phases(self, magnitudes: Tensor) -> Tensor:
        """``(n_frames, n_bins)``, uniform; the first frames' do not depend on how many follow, nor on the device."""
        generator = torch.Generator("cpu").manual_seed(self.seed)
        turns = torch.rand(magnitudes.shape[1:], generator=generator, dtype=torch.float32, device="cpu")
        return (2 * torch.pi * turns).to(magnitudes)
