"""Numbers computed once in float64 and used in whatever precision and on whatever device the audio has."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Constant:
    """A float64 or complex128 array that follows its user's dtype and device.

    Not a buffer of a module: casting a module to float32 and back would lose the digits, and Apple's devices
    refuse to hold float64 at all. One copy for each (dtype, device) met is kept.
    """

    def __init__(self, values: NDArray[Any], layout: Literal["dense", "csr"] = "dense") -> None:
        self.values, self.layout = np.ascontiguousarray(values), layout
        self._copies: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def like(self, signal: Tensor) -> Tensor:
        """These numbers with the precision of ``signal`` (real or complex) on its device."""
        key = (signal.dtype, signal.device)
        if key not in self._copies:
            dtype = signal.dtype.to_complex() if np.iscomplexobj(self.values) else signal.dtype.to_real()
            copy = torch.from_numpy(self.values).to(dtype)
            if self.layout == "csr":
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
                    copy = copy.to_sparse_csr()
            self._copies[key] = copy.to(signal.device)
        return self._copies[key]

    def __getstate__(self) -> dict[str, Any]:
        return {"values": self.values, "layout": self.layout, "_copies": {}}
