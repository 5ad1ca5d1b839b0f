"""Memory: whether it has run out, and large tensors on a CPU, on pages that are cheap to touch first and are kept.

A new output of hundreds of megabytes costs more in page faults than in arithmetic: filling 41 MB took 43 ms in
a tensor of torch and 2.3 ms in an array of numpy, which asks Linux for 2 MB pages (``madvise(MADV_HUGEPAGE)``)
where torch takes 4 kB ones (torch 2.11, numpy 2.4, two cores of an AMD EPYC).
"""

from __future__ import annotations

import re

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


# How torch and the libraries under it say it, in small letters without blanks and underlines: the allocators of CUDA,
# HIP, XPU, mps and the CPU, then cuFFT, cuBLAS, cuDNN and their kin of AMD. cuFFT calls it an internal error when it
# has no room for a plan; cuBLAS and cuDNN are "not initialized" when they have none for their workspace.
_NO_MEMORY = re.compile(
    "outof(device|host)?(memory|resources)|(notenough|insufficient)memory|memoryallocation|badalloc"
    "|allocat(ion|or)?failed|allocfailed|(cant|cannot|unableto|failedto|couldnot)allocate|invalidbuffersize"
    "|fftinternalerror|(blas|dnn|sparse|solver)statusnotinitialized|insufficientresources|statusmemoryerror"
)


def is_out_of_memory(error: BaseException) -> bool:
    """Of a device or of the machine. Most libraries say it in words alone, each in its own."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    said = re.sub(r"[\s_']", "", str(error)).lower()
    return isinstance(error, RuntimeError) and _NO_MEMORY.search(said) is not None


def give_back(device: torch.device) -> None:
    """Return what torch keeps of a GPU's freed memory to the system: libraries beside torch take theirs from there."""
    if device.type == "cuda" and torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
