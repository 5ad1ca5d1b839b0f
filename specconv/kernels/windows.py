"""Windows by name: periodic, float64, and the cosine terms of those that are sums of cosines.

Periodic means that the window of N samples is one period of its formula (scipy's ``fftbins=True``).
F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform", 1978.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.signal import get_window

from specconv.errors import Fault, ParameterError

WindowSpec: TypeAlias = str | tuple[str | float, ...]
"""A name ("hann") or a name with its parameters (("kaiser", 8.6)), as `scipy.signal.get_window` takes it."""

# w[n] = sum_m a_m cos(2π m n / N); the terms that scipy has, sign included.
_COSINE_TERMS: dict[str, tuple[float, ...]] = {
    "boxcar": (1.0,),
    "hann": (0.5, -0.5),
    "hamming": (0.54, -0.46),
    "blackman": (0.42, -0.5, 0.08),
    "nuttall": (0.3635819, -0.4891775, 0.1365995, -0.0106411),
    "blackmanharris": (0.35875, -0.48829, 0.14128, -0.01168),
    "flattop": (0.21557895, -0.41663158, 0.277263158, -0.083578947, 0.006947368),
}
_OTHER_NAMES = {
    "ones": "boxcar",
    "rect": "boxcar",
    "rectangular": "boxcar",
    "box": "boxcar",
    "hanning": "hann",
    "han": "hann",
    "hamm": "hamming",
    "ham": "hamming",
    "black": "blackman",
    "blk": "blackman",
    "nutl": "nuttall",
    "nut": "nuttall",
    "blackharr": "blackmanharris",
    "bkh": "blackmanharris",
    "flat": "flattop",
    "flt": "flattop",
}


def cosine_terms(spec: WindowSpec) -> tuple[float, ...] | None:
    """The a_m of ``w[n] = sum_m a_m cos(2π m n / N)``, or None if the window is no such sum."""
    if not isinstance(spec, str):
        if len(spec) != 1 or not isinstance(spec[0], str):
            return None
        spec = spec[0]
    return _COSINE_TERMS.get(_OTHER_NAMES.get(spec, spec))


def window(spec: WindowSpec, length: int, *, periodic: bool = True) -> NDArray[np.float64]:
    """The window, ``(length,)``, read-only, as `scipy.signal.get_window` has it; symmetric if not periodic.

    Raises ParameterError if scipy knows no such window, or it needs a parameter that is not given.
    """
    try:
        return _sampled(spec, length, periodic)
    except (ValueError, TypeError) as error:
        raise ParameterError([Fault("window", f"is {spec!r}, which is no window: {error}")]) from error


@lru_cache(maxsize=4)  # a bank of thousands of kernels of one length asks for the same one every time
def _sampled(spec: WindowSpec, length: int, periodic: bool) -> NDArray[np.float64]:
    name = _OTHER_NAMES.get(spec, spec) if isinstance(spec, str) else spec
    values = np.array(get_window(name, length, fftbins=periodic), dtype=np.float64)  # type: ignore[arg-type]
    values.flags.writeable = False
    return values


def window_norms(spec: WindowSpec, lengths: NDArray[np.int64], order: float) -> NDArray[np.float64]:
    """``(sum |w|^order)^(1/order)`` of the windows of these lengths; order 1, 2 or infinity.

    In closed form where the terms of a sum of cosines give it, so that a bank of long kernels is not computed
    only to be measured.
    """
    terms = cosine_terms(spec)
    norms = np.empty(len(lengths))
    in_closed_form = np.zeros(len(lengths), dtype=bool)
    if terms is not None and order in (1, 2):
        a = np.array(terms)
        positive = window(spec, 1024).min() > -1e-12  # then |w| is w, whose mean is a_0
        if order == 2 or positive:
            in_closed_form = lengths > 2 * len(terms)  # shorter: the cosines are not orthogonal
            mean = a[0] if order == 1 else a[0] ** 2 + np.sum(a[1:] ** 2) / 2
            norms[in_closed_form] = (mean * lengths[in_closed_form]) ** (1 / order)
    for k in np.flatnonzero(~in_closed_form):
        norms[k] = np.linalg.norm(window(spec, int(lengths[k])), order)
    return norms
