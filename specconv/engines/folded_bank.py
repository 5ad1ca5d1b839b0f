"""The fft engine of a bank of kernels: weigh the waveform's spectrum, fold it to the frame rate, transform back.

With X the spectrum of M = hop · T samples and H_k that of a kernel about its frame's centre,

    out[k, t] = sum_n x[t·hop + n] conj(h_k[n]) = 1 / hop · IFFT_T( sum_j (X · conj(H_k))[· + j·T] )[t]

because sampling at the hop is aliasing in frequency: points of the spectrum a frame rate apart fall on one another.
A kernel's spectrum is narrow, so the sum has few terms, and of neighbouring kernels nearly the same ones: for each
of the T points it is a small matrix product, ``(clips, periods) @ (periods, bins)``, at the speed of a BLAS.

P. Balazs, M. Dörfler, F. Jaillet, N. Holighaus, G. Velasco, "Theory, implementation and applications of
nonstationary Gabor frames", 2011; G. Velasco, N. Holighaus, M. Dörfler, T. Grill, "Constructing an invertible
constant-Q transform with nonstationary Gabor frames", 2011; N. Holighaus, M. Dörfler, G. Velasco, T. Grill, "A
framework for invertible, real-time constant-Q transforms", 2013.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from specconv.engines import decimation
from specconv.engines.fold_plan import Group, groups
from specconv.engines.ladder import Fold, fold, power_of_two
from specconv.engines.long_fft import Stretch
from specconv.engines.memory import empty
from specconv.kernels.bank import KernelBank

Form = Literal["complex", "power", "magnitude"]
# Of weights for clips of other lengths. A bank of 84 bins has one to four MB for each rung of the ladder: clips of all
# lengths that a short clip may have, in any order, find theirs kept.
KEPT_BYTES = 2**27
_building = threading.Lock()


class FoldedBank(nn.Module):
    """A bank of fixed kernels applied to the blocks of a `LongSpectrum` of the same hop; no parameters.

    tolerance: of the peak of a kernel's spectrum; what lies below may be left out. The error is about 3
        tolerances of the result's peak for noise and up to 40 for an impulse, where all that is left out adds up.
    """

    def __init__(self, bank: KernelBank, hop_length: int, tolerance: float = 5e-7) -> None:
        super().__init__()
        self.bank, self.hop_length, self.tolerance = bank, hop_length, tolerance
        reaches = np.maximum(np.maximum(-bank.starts, bank.starts + bank.lengths), 1)
        self._reaches = [power_of_two(int(reach)) for reach in reaches]
        self._groups: OrderedDict[Any, list[Group]] = OrderedDict()

    def forward(self, stretches: Sequence[Stretch]) -> FoldedCoefficients:
        return FoldedCoefficients(self, stretches)

    def samples(self, frames: range, n_frames: int) -> range:
        """The samples that ``frames`` of a clip of ``n_frames`` are computed from; they reach beyond the clip."""
        needed = [f.samples(f.blocks(frames)) for f in self.grid(n_frames)]
        beyond = decimation.beyond()
        return range(min(s.start for s in needed) - beyond, max(s.stop for s in needed) + beyond)

    def together(self, n_frames: int) -> int:
        return max(fold.n_frames for fold in self.grid(n_frames))

    def grid(self, n_frames: int) -> tuple[Fold, ...]:
        """How a clip of ``n_frames`` is cut; clips of equal grid have equal numbers in equal frames."""
        return tuple(dict.fromkeys(self._folds(n_frames)))

    def groups(self, n_frames: int, signal: Tensor) -> list[Group]:
        """The bins in groups, for clips of ``n_frames`` frames, with weights like ``signal``."""
        key = (self.grid(n_frames), signal.dtype, signal.device)
        with _building:  # several threads may come here at once, and building takes memory
            made = self._groups.get(key)
            if made is None:
                with torch.inference_mode(False):  # whose tensors could be part of no gradient later
                    made = self._groups[key] = groups(self.bank, self._folds(n_frames), self.tolerance, signal)
                while len(self._groups) > 1 and sum(map(_size, self._groups.values())) > KEPT_BYTES:
                    self._groups.popitem(last=False)
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_groups": OrderedDict()}

    def _folds(self, n_frames: int) -> list[Fold]:
        longest = max(self._reaches)
        by_reach = {reach: fold(self.hop_length, n_frames, reach, longest) for reach in set(self._reaches)}
        return [by_reach[reach] for reach in self._reaches]


class FoldedCoefficients:
    """The coefficients of a `FoldedBank`, each form computed when asked for, ``(n_clips, n_bins, n_frames)``."""

    # Kept by hand: before Python 3.12 cached_property lets only one thread compute at a time, of all instances.

    def __init__(self, bank: FoldedBank, stretches: Sequence[Stretch]) -> None:
        self._bank, self._stretches = bank, stretches
        self._forms: dict[Form, Tensor] = {}

    @property
    def complex(self) -> Tensor:
        return self._all("complex")

    @property
    def power(self) -> Tensor:
        return self._all("power")

    @property
    def magnitude(self) -> Tensor:
        return self._all("magnitude")

    def put_magnitude(self, out: Tensor) -> None:
        out.copy_(self.magnitude)

    def _all(self, form: Form) -> Tensor:
        if form not in self._forms:
            self._forms[form] = self._untraced(form)
        return self._forms[form]

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # NumPy plans it by the length of the clip
    def _untraced(self, form: Form) -> Tensor:
        """Of clips of different lengths the shorter ones end in zeros."""
        parts = [self._of(stretch, form) for stretch in self._stretches]
        frames = max(part.shape[-1] for part in parts)
        parts = [nn.functional.pad(p, (0, frames - p.shape[-1])) if p.shape[-1] < frames else p for p in parts]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _of(self, stretch: Stretch, form: Form) -> Tensor:
        signal, wanted = stretch.signal.waveforms, stretch.frames
        made = self._bank.groups(stretch.n_frames, signal)
        ranges = [group.frames(wanted) for group in made]
        if torch.is_grad_enabled() and signal.requires_grad:
            return torch.cat(
                [
                    _detected(group.coefficients(stretch).flatten(2), form)[
                        ..., wanted.start - own.start : wanted.stop - own.start
                    ]
                    for group, own in zip(made, ranges, strict=True)
                ],
                dim=1,
            )
        start, stop = min(r.start for r in ranges), max(r.stop for r in ranges)
        dtype = signal.dtype.to_complex() if form == "complex" else signal.dtype
        out = empty((stretch.n_rows, self._bank.bank.n_bins, stop - start), signal, dtype)
        for group, own in zip(made, ranges, strict=True):
            values = group.coefficients(stretch)
            target = out[:, group.bins, own.start - start : own.stop - start]
            _detect(values, form, target.view(values.shape))
        return out[:, :, wanted.start - start : wanted.stop - start]


def _detected(values: Tensor, form: Form) -> Tensor:
    """With a gradient. The root's slope at silence is infinite; abs() takes the subgradient 0 there."""
    if form == "complex":
        return values
    return values.abs() if form == "magnitude" else torch.view_as_real(values).square().sum(-1)


def _detect(values: Tensor, form: Form, out: Tensor) -> None:
    """Squares, one addition and a root: abs() of a complex tensor guards against overflow with a slow hypot."""
    if form == "complex":
        out.copy_(values)
        return
    parts = torch.view_as_real(values)
    squares = parts * parts
    torch.add(squares[..., 0], squares[..., 1], out=out)
    if form == "magnitude":
        out.sqrt_()


def _size(groups: Sequence[Group]) -> int:
    return sum(group.weights.nbytes for group in groups)
