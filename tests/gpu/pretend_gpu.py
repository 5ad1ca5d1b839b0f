"""A CUDA device that is not there: tensors that say they are on ``cuda:0`` and hold the numbers of a CPU.

Python sees a device of type cuda (``device``, ``is_cuda``), C++ sees a CPU tensor without numbers. Every operation
comes to `_dispatch`, which raises what CUDA raises when tensors of two devices meet, and notes what would be launched,
how many bytes would be read and written, and where the host would wait. Gradients work, in the thread that asks for
them, and ``device="cuda"`` does, in the thread that opened it.

    with PretendGpu() as seen:
        specgram = build_transform(...).to("cuda")(on_gpu(waveforms))
    specgram.held, seen.launches, seen.waits, seen.uploads, seen.downloads
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

CUDA = torch.device("cuda:0")
# What moves no bytes.
VIEWS = frozenset(
    """view alias t transpose permute expand slice select unsqueeze squeeze unfold as_strided split split_with_sizes
    detach view_as_real view_as_complex _conj _neg_view unbind _unsafe_view empty empty_strided new_empty
    new_empty_strided empty_like real imag _reshape_alias diagonal chunk narrow set_ resize_ lift_fresh movedim
    reshape""".split()  # noqa: SIM905
)
# What the host waits for: a number, or a shape that depends on numbers.
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "unique_dim", "_unique2"}
WAITING |= {"repeat_interleave"}
INDEXING = {"index", "_unsafe_index", "index_put", "index_put_", "_index_put_impl_"}
COPYING = {"_to_copy", "copy_", "_copy_from", "_foreach_copy_"}


@dataclass
class Seen:
    """What a GPU would have done.

    launches: name and bytes of each operation. waits: why the host would have waited. uploads, downloads: bytes of each
    copy. limit: bytes of the largest tensor that fits into memory; refused: how many did not.
    """

    launches: list[tuple[str, int]] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    uploads: list[int] = field(default_factory=list)
    downloads: list[int] = field(default_factory=list)
    limit: int | None = None
    refused: int = 0


class OnGpu(Tensor):
    """held: the numbers, on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> OnGpu:
        made: OnGpu = Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype, device="cpu"
        )
        return made

    def __init__(self, held: Tensor) -> None:
        assert type(held) is Tensor, type(held)
        assert not held.is_conj()
        assert not held.is_neg()
        self.held = held

    device = property(lambda _: CUDA)
    is_cuda = property(lambda _: True)
    is_cpu = property(lambda _: False)

    def cpu(self, *_: Any, **__: Any) -> Tensor:
        down: Tensor = _Down.apply(self)
        return down

    def cuda(self, *_: Any, **__: Any) -> Tensor:
        return self

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        if args and isinstance(args[0], Tensor):
            args, kwargs = (args[0].device, args[0].dtype), kwargs
        if args and isinstance(args[0], (str, torch.device)):
            args, kwargs = args[1:], {**kwargs, "device": args[0]}
        device = kwargs.pop("device", None)
        moved = self if device is None or torch.device(device).type == "cuda" else self.cpu()
        return Tensor.to(moved, *args, **kwargs) if args or kwargs else moved

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __array__(self, *_: Any) -> Any:
        return self.numpy()

    def __repr__(self, **_: Any) -> str:
        return f"OnGpu({tuple(self.shape)}, {self.dtype})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _dispatch(func, args, kwargs or {})

    __torch_function__ = torch._C._disabled_torch_function_impl


def on_gpu(values: Tensor) -> OnGpu:
    return OnGpu(values.detach().clone())


class _Down(torch.autograd.Function):
    """The copy to the host, whose gradient goes up again."""

    @staticmethod
    def forward(_: Any, values: Any) -> Tensor:
        _now.seen.downloads.append(values.held.nbytes)
        _now.seen.waits.append("copy to the host")
        held: Tensor = values.held.detach().clone()
        return held

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return OnGpu(gradient)


@dataclass
class _Now:
    """seen: of the innermost `PretendGpu`; going_back: whether the gradients of `OnGpu` are being computed."""

    seen: Seen = field(default_factory=Seen)
    going_back: bool = False


_now = _Now()


class PretendGpu:
    """While it is open ``device="cuda"`` makes `OnGpu`. Entering gives `Seen`.

    limit: bytes; an operation whose result is larger runs out of memory, and says so in the words of ``said``.
    """

    def __init__(self, limit: int | None = None, said: str = "CUDA out of memory (pretended)") -> None:
        self.seen, self.said = Seen(limit=limit), said

    def __enter__(self) -> Seen:
        engine, was_lifting = torch.autograd._engine_run_backward, torch._C._only_lift_cpu_tensors()
        overwrote, inference = torch.__future__.get_overwrite_module_params_on_conversion(), torch.no_grad

        def run_backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            """What a formula in C++ makes of zeros is on the device of its gradient."""
            with (
                patch.object(_now, "going_back", any(isinstance(t, OnGpu) for t in tensors)),
                torch.autograd.set_multithreading_enabled(False),
            ):
                return engine(tensors, *args, **kwargs)

        self._left = ExitStack()
        for target, name, value in (
            (_now, "seen", self.seen),
            (torch.autograd, "_engine_run_backward", run_backward),
            (torch.autograd.graph, "_engine_run_backward", run_backward),
            (torch.cuda, "_lazy_init", lambda: None),
            (torch.cuda, "is_available", lambda: True),
            (torch.cuda, "device_count", lambda: 1),
            (torch.cuda, "empty_cache", lambda: None),
            (torch, "inference_mode", lambda mode=True: inference() if mode else nullcontext()),  # wrappers are none
        ):
            if hasattr(target, name):
                self._left.enter_context(patch.object(target, name, value))
        torch._C._set_only_lift_cpu_tensors(True)
        self._left.callback(torch._C._set_only_lift_cpu_tensors, was_lifting)
        torch.__future__.set_overwrite_module_params_on_conversion(True)  # else Module.to keeps the old Python object
        self._left.callback(torch.__future__.set_overwrite_module_params_on_conversion, overwrote)
        self._left.enter_context(_Indexed())
        self._left.enter_context(_Dispatched(self.said))
        return self.seen

    @contextmanager
    def in_this_thread(self) -> Iterator[None]:
        """Make ``device="cuda"`` work in a thread other than the one that opened it."""
        with _Indexed(), _Dispatched(self.said):
            yield

    def __exit__(self, *why: Any) -> None:
        self._left.__exit__(*why)


class _Dispatched(TorchDispatchMode):
    """Sees what no `OnGpu` is part of: what is made on the device, and what is copied to it."""

    def __init__(self, said: str) -> None:
        super().__init__()
        self.said = said

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        try:
            return _dispatch(func, args, kwargs or {})
        except _NoRoomError:
            raise RuntimeError(self.said) from None


class _Indexed(TorchFunctionMode):
    """``"cuda"`` is ``"cuda:0"``: which device is the current one C++ would ask the driver."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args = tuple(CUDA if _is_cuda(arg) else arg for arg in args)
        if func is Tensor.to and len(args) > 1 and isinstance(args[1], OnGpu):
            args = (args[0], CUDA, args[1].dtype, *args[2:])
        return func(*args, **{k: CUDA if k == "device" and _is_cuda(v) else v for k, v in (kwargs or {}).items()})


def _is_cuda(value: Any) -> bool:
    return isinstance(value, (str, torch.device)) and str(value) == "cuda"


class _NoRoomError(Exception):
    """A result is larger than the limit."""


def touched(values: Tensor) -> int:
    """Bytes of what a tensor shows, counted once where it overlaps itself."""
    steps = zip(values.shape, values.stride(), strict=True)
    span = 1 + sum((size - 1) * stride for size, stride in steps) if values.numel() else 0
    return min(values.numel(), span) * values.element_size()


def _dispatch(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run the operation on the numbers held, note what a GPU would do, and wrap what is on it."""
    seen, name = _now.seen, func._schema.name.split("::")[1]
    flat, spec = tree_flatten((args, kwargs))
    tensors = [value for value in flat if isinstance(value, Tensor)]
    gpu = [value for value in tensors if isinstance(value, OnGpu)]
    device = kwargs.get("device")
    to_gpu = device is not None and (torch.device(device).type == "cuda" or (_now.going_back and not tensors))
    if gpu:
        _check_devices(name, args, tensors)
        if name in WAITING:
            seen.waits.append(name)
        if name == "index" and any(isinstance(t, Tensor) and t.dtype == torch.bool for t in args[1] or ()):
            seen.waits.append("index by a mask")
    held_args, held_kwargs = tree_unflatten([v.held if isinstance(v, OnGpu) else v for v in flat], spec)
    if device is not None:
        held_kwargs = {**held_kwargs, "device": torch.device("cpu")}
    out = func(*held_args, **held_kwargs)
    if name == "_local_scalar_dense" or not (gpu or to_gpu):
        return out
    if name == "copy_" and isinstance(args[0], OnGpu) != isinstance(args[1], OnGpu):
        if isinstance(args[0], OnGpu):
            seen.uploads.append(touched(args[1]))
        else:
            seen.downloads.append(touched(args[0]))
            seen.waits.append("copy to the host")
        return args[0]
    if name == "_to_copy" and not gpu:
        seen.uploads.append(touched(args[0]))
    elif name not in VIEWS:
        results = [value for value in tree_flatten(out)[0] if isinstance(value, Tensor)]
        read = sum(touched(value.held if isinstance(value, OnGpu) else value) for value in tensors)
        seen.launches.append((name, read + (0 if func._schema.is_mutable else sum(map(touched, results)))))
        if seen.limit is not None and not func._schema.is_mutable and sum(t.nbytes for t in results) > seen.limit:
            seen.refused += 1
            raise _NoRoomError
    # C++ asks a tensor whether it is a lazy conjugate, and a wrapper does not say so.
    wrapped = tree_map_only(Tensor, lambda t: t if isinstance(t, OnGpu) else OnGpu(t.resolve_conj().resolve_neg()), out)
    return wrapped if name in ("_conj", "_neg_view") else return_and_correct_aliasing(func, args, kwargs, wrapped)


def _check_devices(name: str, args: Any, tensors: list[Tensor]) -> None:
    """Raise as CUDA does when a tensor of the host, other than a single number, meets one on the GPU."""
    if name in COPYING or not any(t.ndim for t in tensors if not isinstance(t, OnGpu)):
        return
    if name in INDEXING and all(isinstance(t, OnGpu) for t in (args[0], *([args[2]] if "put" in name else []))):
        _now.seen.waits.append(f"{name} with indices on the host")
        return
    found = [(str(t.device), tuple(t.shape)) for t in tensors]
    raise RuntimeError(f"Expected all tensors to be on the same device, but found cuda:0 and cpu: {name}, {found}")
