"""Large tensors on a CPU: on pages that are cheap to touch first, and kept when they are freed.

A new output of hundreds of megabytes costs more in page faults than in arithmetic: filling 41 MB took 43 ms in
a tensor of torch and 2.3 ms in an array of numpy, which asks Linux for 2 MB pages (``madvise(MADV_HUGEPAGE)``)
where torch takes 4 kB ones (torch 2.11, numpy 2.4, two cores of an AMD EPYC).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_NUMPY_TYPES = {
    torch.float32: np.float32,
    torch.float64: np.float64,
    torch.complex64: np.complex64,
    torch.complex128: np.complex128,
}


def empty(shape: tuple[int, ...], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """An uninitialised tensor on the device of ``like`` (and of its type, if none is given)."""
    dtype = dtype or like.dtype
    if like.device.type != "cpu" or torch.compiler.is_compiling():
        return torch.empty(shape, dtype=dtype, device=like.device)
    return torch.from_numpy(np.empty(shape, dtype=_NUMPY_TYPES[dtype]))


def keep_freed_memory() -> None:
    """Freeing one large piece makes the C library keep as much for later instead of giving it back to the system.

    (glibc's dynamic mmap threshold, 32 MB at most; elsewhere it does nothing.) Every tile needs the same few large
    tensors, and touching new pages for each took 0.9 of 2.0 s for the CQT of 1,770 clips of 80,000 samples.
    """
    torch.empty(31 << 20, dtype=torch.uint8)
