"""A band of frequencies, and what can be wrong with one."""

from __future__ import annotations

from collections.abc import Iterator

from specconv.errors import Fault


def band_faults(sample_rate: float, f_min: float, f_max: float, *, in_octaves: bool = False) -> Iterator[Fault]:
    """Faults of ``0 <= f_min < f_max <= sample_rate / 2``, all Hz; ``0 < f_min`` if spaced in octaves."""
    nyquist = sample_rate / 2
    if f_max > nyquist:
        yield Fault("f_max", f"is {f_max:g} Hz; at most {nyquist:g} Hz, half the sample rate, exists: lower it")
    if in_octaves and f_min <= 0:
        yield Fault("f_min", f"is {f_min:g} Hz; must be above 0 Hz where bins are spaced in octaves: raise it")
    elif not 0 <= f_min < f_max:
        yield Fault("f_min", f"is {f_min:g} Hz; must be from 0 to below f_max, {f_max:g} Hz: lower it")
