"""Products in full float32, forward and backward, whatever precision the user has chosen for torch.

``torch.set_float32_matmul_precision`` and ``fp32_precision`` let torch round the factors of a float32 product to the 10
bits of TF32 on a GPU, and to the 7 bits of bfloat16 on a CPU. That is right for the weights of a network, but a
spectrum would keep three digits. cuDNN rounds to TF32 without being asked, so nothing here is a convolution of cuDNN.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

# What torch looks at before it multiplies on a device, and the wider setting that each follows while it is not set.
_ONEDNN: Any = torch.backends.mkldnn
_SETTINGS: dict[str, list[tuple[Any, Any]]] = {
    "cpu": [(getattr(_ONEDNN, operation), _ONEDNN) for operation in ("matmul", "conv")],
    "cuda": [(torch.backends.cuda.matmul, torch.backends.cudnn)],
    "mps": [],
}
_SETTINGS["xpu"] = _SETTINGS["cpu"]  # oneDNN's, too

_lock = threading.Lock()
_inside = dict.fromkeys(_SETTINGS, 0)
_restored: dict[str, list[tuple[Any, str]]] = {}


@contextmanager
def full_precision(device_type: str) -> Iterator[None]:
    """Inside, products on a device of this type are computed in full float32, and autocast is off.

    torch's settings hold for all threads: the first thread that enters changes them, the last one that leaves restores
    them.
    """
    if device_type not in _SETTINGS:
        yield
        return
    if torch.compiler.is_compiling():  # a graph holds no settings
        with torch.autocast(device_type, enabled=False):
            yield
        return
    with _lock:
        if _inside[device_type] == 0:
            _restored[device_type] = list(_set_full(_SETTINGS[device_type]))
        _inside[device_type] += 1
    try:
        with torch.autocast(device_type, enabled=False):
            yield
    finally:
        with _lock:
            _inside[device_type] -= 1
            if _inside[device_type] == 0:
                for setting, chosen in _restored[device_type]:
                    setting.fp32_precision = chosen


def is_exporting() -> bool:
    """Whether torch.export records a graph; `torch.compiler.is_exporting` is true in torch.compile, too."""
    return torch.compiler.is_exporting() and torch.compiler._is_exporting_flag


def matmul(left: Tensor, right: Tensor) -> Tensor:
    """``torch.matmul`` in full float32, and so its gradients."""
    if torch.compiler.is_compiling():
        return torch.matmul(left, right)
    if _is_recorded(left, right):
        product: Tensor = _Product.apply(left, right)  # type: ignore[no-untyped-call]
        return product
    with full_precision(left.device.type):
        return torch.matmul(left, right)


def slide(waveforms: Tensor, kernels: Tensor, hop_length: int) -> Tensor:
    """``kernels (n_out, n_samples)`` slid along ``waveforms (n_clips, time)``: ``(n_clips, n_out, n_frames)``.

    A strided convolution as a product of frames and kernels. Its gradients keep the waveforms and not the frames.
    """
    if is_exporting():  # what other programs know best
        return F.conv1d(waveforms[:, None], kernels[:, None], stride=hop_length)
    if _is_recorded(waveforms, kernels) and not torch.compiler.is_compiling():
        slid: Tensor = _Slide.apply(waveforms, kernels, hop_length)  # type: ignore[no-untyped-call]
        return slid
    return _slid(waveforms, kernels, hop_length)


def _set_full(settings: list[tuple[Any, Any]]) -> Iterator[tuple[Any, str]]:
    """Change the settings that are not full float32 already, and say what will restore each of them."""
    for setting, wider in settings:
        chosen = setting.fp32_precision
        if chosen not in ("ieee", "none"):
            yield setting, "none" if chosen == wider.fp32_precision else chosen
            setting.fp32_precision = "ieee"


def _is_recorded(*factors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(factor.requires_grad for factor in factors)


def _slid(waveforms: Tensor, kernels: Tensor, hop_length: int) -> Tensor:
    frames = waveforms.unfold(-1, kernels.shape[1], hop_length)
    clips, n_frames, n_samples = frames.shape
    rows = frames.reshape(clips * n_frames, n_samples)
    return matmul(rows, kernels.T).view(clips, n_frames, kernels.shape[0]).transpose(1, 2)


class _Product(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(left: Tensor, right: Tensor) -> Tensor:
        return matmul(left, right)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        left, right = ctx.saved_tensors
        of_left, of_right = ctx.needs_input_grad
        return (
            matmul(gradient, right.mH).sum_to_size(left.shape) if of_left else None,
            matmul(left.mH, gradient).sum_to_size(right.shape) if of_right else None,
        )


class _Slide(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(waveforms: Tensor, kernels: Tensor, hop_length: int) -> Tensor:
        return _slid(waveforms, kernels, hop_length)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs[:2])
        ctx.hop_length = inputs[2]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        waveforms, kernels = ctx.saved_tensors
        n_samples, rows = kernels.shape[1], gradient.transpose(1, 2).flatten(0, 1)
        of_waveforms = of_kernels = None
        if ctx.needs_input_grad[0]:
            frames = matmul(rows, kernels).view(len(waveforms), -1, n_samples)
            of_waveforms = torch.ops.aten.unfold_backward(frames, waveforms.shape, -1, n_samples, ctx.hop_length)
        if ctx.needs_input_grad[1]:
            frames = waveforms.unfold(-1, n_samples, ctx.hop_length).reshape(-1, n_samples)
            of_kernels = matmul(rows.T, frames)
        return of_waveforms, of_kernels, None
