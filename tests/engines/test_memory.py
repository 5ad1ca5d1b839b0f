from __future__ import annotations

import pytest
import torch

from specconv.engines.memory import empty, is_out_of_memory


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
def test_room_has_the_shape_and_the_type_asked_for(dtype: torch.dtype) -> None:
    like = torch.zeros(2, dtype=dtype)
    room = empty((3, 0, 5), like)
    assert (room.shape, room.dtype, room.device) == ((3, 0, 5), dtype, like.device)
    assert empty((4, 2), torch.zeros(1), dtype).dtype == dtype


def test_room_can_be_written_and_outlives_its_maker() -> None:
    room = empty((1000, 1000), torch.zeros(1))
    room.fill_(3.0)
    assert float(room.sum()) == 3e6
    assert empty((1000, 1000), torch.zeros(1)).data_ptr() != room.data_ptr()


@pytest.mark.parametrize(
    "said",
    [
        "CUDA out of memory. Tried to allocate 20.00 GiB.",
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "CUDA driver error: CUDA_ERROR_OUT_OF_MEMORY",
        "cudaErrorMemoryAllocation",
        "cuFFT error: CUFFT_INTERNAL_ERROR",
        "cuFFT error: CUFFT_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "cusparse error: CUSPARSE_STATUS_INSUFFICIENT_RESOURCES",
        "HIP out of memory. Tried to allocate 2.00 GiB",
        "HIP error: hipErrorOutOfMemory",
        "hipFFT error: HIPFFT_INTERNAL_ERROR",
        "HIPBLAS_STATUS_ALLOC_FAILED",
        "rocblas_status_memory_error",
        "MPS backend out of memory (MPS allocated: 8 GiB)",
        "Invalid buffer size: 20.00 GiB",
        "kIOGPUCommandBufferCallbackErrorOutOfMemory",
        "UR error: UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY",
        "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes",
        "DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes",
        "std::bad_alloc",
    ],
)
def test_out_of_memory_is_known_in_every_librarys_words(said: str) -> None:
    assert is_out_of_memory(RuntimeError(said))
    assert not is_out_of_memory(ValueError(said))


@pytest.mark.parametrize(
    "said",
    ["CUDA error: device-side assert triggered", "mat1 and mat2 shapes cannot be multiplied", "index out of range", ""],
)
def test_other_errors_are_not(said: str) -> None:
    assert not is_out_of_memory(RuntimeError(said))
    assert is_out_of_memory(MemoryError())
