"""The inverse of ``type: stft``, ``scale: complex``: overlap-add.

D. W. Griffin and J. S. Lim, "Signal estimation from modified short-time Fourier transform", 1984.
"""

from __future__ import annotations

from torch import Tensor

from specconv.engines.overlap_add import OverlapAdd
from specconv.errors import Fault, ParameterError
from specconv.transforms.base import Transform
from specconv.transforms.inverse import Inverse
from specconv.transforms.stft import StftParameters


class InverseStft(Inverse):
    """The waveforms of complex spectra; of spectra that are no waveform's, those nearest to them in squares.

    Exact but for rounding wherever the windows overlap, from the first frame's centre to the last's (or between their
    ends). Beyond them a sample that its window weighs by w is known to the rounding of the numbers divided by w, and
    one that no window weighs is 0. Differentiable.

    Raises ParameterError if the hop leaves samples that no window sees, or the kernels were to be trained.
    """

    types = ("stft",)
    scales = ("complex",)

    def __init__(self, transform: Transform) -> None:
        super().__init__(transform)
        self._overlap_add = OverlapAdd(uniform(transform).framing)

    def inverted(self, specgram: Tensor, n_samples: int) -> Tensor:
        return self._overlap_add(specgram, n_samples)


def uniform(transform: Transform) -> StftParameters:
    """The parameters of an STFT that overlap-add inverts. Raises ParameterError for any other."""
    parameters = transform.parameters_given
    assert isinstance(parameters, StftParameters)
    if parameters.freq_scale != "uniform":
        raise ParameterError(
            [Fault("freq_scale", f"is {parameters.freq_scale}; only the FFT's own bins, uniform, can be inverted")]
        )
    if next(transform.parameters(), None) is not None:
        raise ParameterError("an stft with trainable kernels is inverted by no formula; build it without trainable")
    return parameters
