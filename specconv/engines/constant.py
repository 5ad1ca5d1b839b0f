"""Numbers computed once in float64 and used in whatever precision and on whatever device the audio has."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

# Not dtype.to_real and dtype.to_complex: torch.compile does not know them.
_REAL = {
    torch.float32: torch.float32,
    torch.complex64: torch.float32,
    torch.float64: torch.float64,
    torch.complex128: torch.float64,
}
_COMPLEX = {
    torch.float32: torch.complex64,
    torch.complex64: torch.complex64,
    torch.float64: torch.complex128,
    torch.complex128: torch.complex128,
}


class Constant:
    """A float64, complex128 or int64 array, or a sparse matrix, that follows its user's dtype and device.

    Not a buffer of a module: casting a module to float32 and back would lose the digits, and Apple's devices
    refuse to hold float64 at all. One copy for each (dtype, device) met is kept. The numbers themselves stay on the
    CPU, also where torch's default device is another one: of ``torch.device("meta")`` they could not come back.
    """

    def __init__(self, values: NDArray[Any] | csr_array) -> None:
        with torch.inference_mode(False):  # whose tensors could be part of no gradient later
            self._values = _sparse(values) if isinstance(values, csr_array) else torch.tensor(values, device="cpu")
        self._copies: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    @property
    def values(self) -> NDArray[Any]:
        """What it was made of, if that was an array."""
        return self._values.numpy()

    def like(self, signal: Tensor) -> Tensor:
        """These numbers with the precision of ``signal`` (real or complex) on its device; integers stay integers."""
        if torch.compiler.is_compiling():  # what a trace makes is no tensor outside of it
            return self._made_like(signal)
        key = (signal.dtype, signal.device)
        if key not in self._copies:
            with torch.inference_mode(False):
                self._copies[key] = self._made_like(signal)
        return self._copies[key]

    def _made_like(self, signal: Tensor) -> Tensor:
        if self._values.dtype == torch.int64:
            return self._values.to(signal.device)
        dtypes = _COMPLEX if self._values.dtype.is_complex else _REAL
        return self._values.to(dtypes[signal.dtype]).to(signal.device)

    def __deepcopy__(self, memo: dict[int, Any]) -> Constant:
        return self  # it never changes, and torch cannot copy a sparse tensor so

    def __getstate__(self) -> dict[str, Any]:
        return {"_values": self._values, "_copies": {}}


def _sparse(matrix: csr_array) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse")  # that they are in beta, and that ours are not checked again
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int64)),
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.data.copy()),
            size=matrix.shape,
            device="cpu",
        )
