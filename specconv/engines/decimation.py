"""The lowest part of a long spectrum, from an FFT of fewer samples.

A bank whose kernels all lie far below Nyquist needs only the first points of the spectrum. A low-pass filter and every
d-th of its outputs give the same points from an FFT of a d-th of the size: within the band that is kept, the
filter's ripple and what it lets through of the aliases stay below `ATTENUATION`, the rounding of float32.
"""

from __future__ import annotations

from functools import cache
from math import ceil

import numpy as np
from scipy.signal import firwin
from torch import Tensor
from torch.nn import functional as F

from specconv.engines.constant import Constant
from specconv.engines.precision import full_precision, slide
from specconv.engines.threads import is_plain

BAND = 0.25  # of the decimated rate: what is kept
ATTENUATION = 130.0  # dB
# Filtering takes 1.0 ns a sample whatever the factor, an FFT 2.3 ns (one core): below 4 nothing is won.
FACTORS = (64, 32, 16, 8, 4)
OUTPUTS = 16  # outputs computed as channels of one strided convolution: as many as fit a vector register


def factor(highest: float, *divisible: int) -> int:
    """The largest decimation that keeps frequencies up to ``highest`` (cycles a sample); 1 if none does.

    divisible: numbers of samples that it must divide.
    """
    for d in FACTORS:
        if highest * d <= BAND and not any(n % d for n in divisible):
            return d
    return 1


def reach(d: int) -> int:
    """Samples on either side of its own that an output depends on."""
    return (len(_low_pass(d)) - 1) // 2


def beyond() -> int:
    """Samples that any decimation may read on either side of the stretch it is asked for."""
    return OUTPUTS * FACTORS[0] + len(_low_pass(FACTORS[0]))


def needed(n_outputs: int, d: int) -> int:
    """Samples from ``reach`` before the first output on that `decimate` wants for so many outputs."""
    return (ceil(n_outputs / OUTPUTS) * OUTPUTS - 1) * d + len(_low_pass(d))


def decimate(waveforms: Tensor, d: int) -> Tensor:
    """Every d-th sample of d times the low-passed waveforms: d times, so that their spectrum keeps its scale.

    waveforms: ``(n, needed(n_outputs, d))``. Returns ``(n, n_outputs)``, rounded up to whole groups of `OUTPUTS`.
    """
    weights = _weights(d).like(waveforms)
    if not is_plain(waveforms):
        return slide(waveforms, weights, OUTPUTS * d).transpose(1, 2).flatten(1)
    # A lone row may be convolved by another path, which rounds otherwise.
    rows = waveforms.expand(2, -1) if len(waveforms) == 1 else waveforms
    with full_precision(waveforms.device.type):
        outputs = F.conv1d(rows[:, None], weights[:, None], stride=OUTPUTS * d)
    return outputs[: len(waveforms)].transpose(1, 2).flatten(1)


@cache
def _low_pass(d: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Kaiser's formulas for the length and the shape."""
    width = (1 - 2 * BAND) / d
    length = 2 * ceil((ATTENUATION - 8) / (2.285 * 2 * np.pi * width) / 2) + 1
    beta = 0.1102 * (ATTENUATION - 8.7)
    return d * np.asarray(firwin(length, 1 / d, window=("kaiser", beta)), dtype=np.float64)


@cache
def _weights(d: int) -> Constant:
    low_pass = _low_pass(d)
    weights = np.zeros((OUTPUTS, (OUTPUTS - 1) * d + len(low_pass)))
    for output, row in enumerate(weights):
        row[output * d : output * d + len(low_pass)] = low_pass
    return Constant(weights)
