"""From complex coefficients to what is stored.

A scaling reads one form of the coefficients (magnitude, power, phase or complex), may weigh it by a projection
(mel, gammatone) and may put it on a logarithmic scale. Each is a small module; a transform strings them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn

from specconv.engines.coefficients import Coefficients
from specconv.engines.constant import Constant
from specconv.engines.pointwise import angle, power
from specconv.engines.product import product, sparse_product
from specconv.engines.threads import is_plain

Form = Literal["magnitude", "power", "phase", "complex"]

# Share of weights other than zero from which a dense product is faster: 128 mel filters, 2,050 weights, take 2.2 ms for
# 10,048 spectra of 1,025 bins, and as many dense ones, 131,200, take 15 ms (two cores of an AMD EPYC).
SPARSE = 0.1


FORMS: Mapping[str, Form] = {
    "magnitude": "magnitude",
    "power": "power",
    "decibel": "power",
    "log": "magnitude",
    "complex": "complex",
    "phase": "phase",
}
"""Which form of the coefficients each scale is made from."""


class Detector(nn.Module):
    """One form of the coefficients, ``(n_clips, n_bins, n_frames)``; phase in radians, -π … π."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form

    def forward(self, coefficients: Coefficients) -> Tensor:
        if self.form == "phase":
            return angle(coefficients.complex)
        form: Tensor = getattr(coefficients, self.form)
        return form

    def put(self, coefficients: Coefficients, out: Tensor) -> None:
        """The same, written where it belongs; no gradient."""
        if self.form == "magnitude":
            coefficients.put_magnitude(out)
        else:
            out.copy_(self(coefficients))


class Projection(nn.Module):
    """``weights @ magnitude ** exponent`` over the bins: mel, gammatone and their kin.

    weights: ``(n_out, n_bins)`` float64. Fixed ones are applied as a sparse matrix on a CPU if few are not zero, as
    those of mel filters; trainable ones are a dense parameter.
    """

    def __init__(self, weights: NDArray[np.float64], exponent: float, *, trainable: bool) -> None:
        super().__init__()
        self.exponent = exponent
        self._dense, sparse = Constant(weights), np.count_nonzero(weights) < SPARSE * weights.size
        self._sparse = Constant(csr_array(weights)) if sparse else None
        self.weights = nn.Parameter(torch.tensor(weights, dtype=torch.float32)) if trainable else None

    def forward(self, coefficients: Coefficients) -> Tensor:
        values = coefficients.power if self.exponent == 2.0 else _raised(coefficients.magnitude, self.exponent)
        if self.weights is not None:
            return product(self.weights.to(values.dtype), values)
        if self._sparse is None or not is_plain(values):
            return product(self._dense.like(values), values)
        clips, bins, frames = values.shape
        columns = values.transpose(0, 1).reshape(bins, clips * frames)
        sums = sparse_product(self._sparse.like(values), columns)
        return sums.view(-1, clips, frames).transpose(0, 1)


def _raised(magnitudes: Tensor, exponent: float) -> Tensor:
    if exponent == 1.0:
        return magnitudes
    if exponent > 1.0 or not magnitudes.requires_grad:
        return power(magnitudes, exponent)
    # The slope at silence is infinite, as a root's; the subgradient 0 is taken there.
    heard = magnitudes > 0
    return torch.where(heard, magnitudes, 1.0) ** exponent * heard


class Logarithm(nn.Module):
    """Natural logarithm of ``max(x, amin)``: silence becomes ``ln(amin)``, never minus infinity."""

    def __init__(self, amin: float) -> None:
        super().__init__()
        self.amin = amin

    def forward(self, specgram: Tensor) -> Tensor:
        return specgram.clamp(min=self.amin).log()
