"""The discrete cosine transform that makes cepstral coefficients of a logarithmic spectrum, and their lifter.

N. Ahmed, T. Natarajan and K. R. Rao, "Discrete cosine transform", 1974. S. B. Davis and P. Mermelstein,
"Comparison of parametric representations for monosyllabic word recognition", 1980. B.-H. Juang et al.,
"On the use of bandpass liftering in speech recognition", 1987.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from specconv.errors import Fault, ParameterError


def dct_matrix(n_coefficients: int, n_bins: int, *, norm: Literal["ortho"] | None = "ortho") -> NDArray[np.float64]:
    """The first rows of the DCT of type II, ``(n_coefficients, n_bins)``.

    norm: "ortho" makes the rows orthonormal; None is ``2 cos(π k (n + 1/2) / n_bins)``, as scipy's.
    Raises ParameterError unless 1 <= n_coefficients <= n_bins.
    """
    if not 1 <= n_coefficients <= n_bins:
        raise ParameterError(
            [
                Fault(
                    "n_coefficients",
                    f"is {n_coefficients}; a DCT of {n_bins} bins has 1 to {n_bins} coefficients: "
                    "lower it or raise the number of bins",
                )
            ]
        )
    k = np.arange(n_coefficients)[:, None]
    matrix: NDArray[np.float64] = 2.0 * np.cos(np.pi / n_bins * (np.arange(n_bins) + 0.5) * k)
    if norm == "ortho":
        matrix *= np.sqrt(0.5 / n_bins)
        matrix[0] *= np.sqrt(0.5)
    return matrix


def lifter_weights(n_coefficients: int, lifter: float) -> NDArray[np.float64]:
    """``1 + lifter / 2 · sin(π n / lifter)`` for n = 1 .. n_coefficients; ones if lifter is 0."""
    if lifter < 0:
        raise ParameterError([Fault("lifter", f"is {lifter:g}; must be 0 (none) or positive")])
    if lifter == 0:
        return np.ones(n_coefficients)
    n = np.arange(1, n_coefficients + 1)
    weights: NDArray[np.float64] = 1.0 + lifter / 2.0 * np.sin(np.pi * n / lifter)
    return weights
