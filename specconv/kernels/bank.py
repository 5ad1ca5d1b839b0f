"""A bank of kernels: one analysis filter per output bin, as data.

A bank cannot run by itself. An engine slides it along waveforms; the bank only says what the filters are, and
computes one of them when asked: a constant-Q bank of 840 bins written out in full is hundreds of megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from specconv.errors import Fault, ParameterError
from specconv.kernels.windows import WindowSpec, window

LONGEST_KERNEL = 1 << 24  # samples; six minutes at 44.1 kHz, 256 MB for one complex kernel


@dataclass(frozen=True, eq=False)
class KernelBank:
    """Kernels ``h_k[m] = gains[k] · envelope_k[m] · exp(2jπ f_k (starts[k] + m) / sample_rate)``.

    Slid along a waveform they give ``out[k, t] = sum_m x[t·hop + starts[k] + m] · conj(h_k[m])``: time 0 of a
    kernel is the centre of its frame.

    sample_rate: Hz.
    center_frequencies: f_k, ``(n_bins,)`` float64, Hz, within 0 .. sample_rate / 2.
    lengths: ``(n_bins,)`` int64, samples, 1 .. 2**24.
    starts: ``(n_bins,)`` int64, samples; usually ``-(lengths // 2)``, the maximum of the window at time 0.
    gains: ``(n_bins,)`` float64 or complex128, finite.
    window: name or ``(name, parameter, …)`` as `scipy.signal.get_window` takes it, periodic.

    The arrays are copied and read-only. Raises ParameterError with every fault found.
    """

    sample_rate: float
    center_frequencies: NDArray[np.float64]
    lengths: NDArray[np.int64]
    starts: NDArray[np.int64]
    gains: NDArray[np.float64] | NDArray[np.complex128]
    window: WindowSpec = "hann"

    def __post_init__(self) -> None:
        complex_gains = np.iscomplexobj(self.gains)
        for name, dtype in (
            ("center_frequencies", np.float64),
            ("lengths", np.int64),
            ("starts", np.int64),
            ("gains", np.complex128 if complex_gains else np.float64),
        ):
            values = np.array(getattr(self, name), dtype=dtype, ndmin=1)
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        if faults := list(self._faults()):
            raise ParameterError(faults)

    def _faults(self) -> Iterator[Fault]:
        if not (np.isfinite(self.sample_rate) and self.sample_rate > 0):
            yield Fault("sample_rate", f"is {self.sample_rate} Hz; must be a positive number of Hz")
            return
        shapes = {f.name: v.shape for f in fields(self) if isinstance(v := getattr(self, f.name), np.ndarray)}
        if len(set(shapes.values())) > 1 or self.center_frequencies.ndim != 1:
            yield Fault("", f"arrays of a bank have one value a bin, but their shapes are {shapes}")
            return
        if not self.n_bins:
            yield Fault("center_frequencies", "is empty; a bank has at least one bin")
            return
        nyquist = self.sample_rate / 2
        inside = (self.center_frequencies >= 0) & (self.center_frequencies <= nyquist)
        if not inside.all():
            k = int(np.argmin(inside))
            yield Fault(
                "center_frequencies",
                f"bin {k} lies at {self.center_frequencies[k]:.6g} Hz; the bound is 0 .. {nyquist:g} Hz, "
                "half the sample rate: leave the bins beyond it out",
            )
        if (shortest := int(self.lengths.min())) < 1:
            yield Fault("lengths", f"holds {shortest}; a kernel has at least one sample")
        if (longest := int(self.lengths.max())) > LONGEST_KERNEL:
            yield Fault(
                "lengths",
                f"holds {longest} samples ({longest / self.sample_rate:.4g} s); at most {LONGEST_KERNEL} are "
                "possible: raise the lowest frequency or take fewer bins an octave",
            )
        if not np.isfinite(self.gains).all():
            yield Fault("gains", "holds values that are not finite numbers")

    @property
    def n_bins(self) -> int:
        return len(self.center_frequencies)

    @property
    def left(self) -> int:
        """Samples that the bank reaches back before the centre of a frame."""
        return int(np.max(-self.starts))

    @property
    def right(self) -> int:
        """Samples that the bank reaches from the centre of a frame on, the centre included."""
        return int(np.max(self.starts + self.lengths))

    @property
    def span(self) -> int:
        """Samples of a waveform that one frame depends on."""
        return self.left + self.right

    def envelope(self, k: int) -> NDArray[np.float64]:
        """The window of bin ``k``, ``(lengths[k],)``, before its gain."""
        return window(self.window, int(self.lengths[k]))

    def kernel(self, k: int) -> NDArray[np.complex128]:
        """Bin ``k`` written out, ``(lengths[k],)``."""
        times = self.starts[k] + np.arange(self.lengths[k])
        phases = 2j * np.pi * (self.center_frequencies[k] / self.sample_rate) * times
        values: NDArray[np.complex128] = self.gains[k] * self.envelope(k) * np.exp(phases)
        return values
