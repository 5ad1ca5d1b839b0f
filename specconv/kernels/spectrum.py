"""The spectra of kernels on a DFT grid, without a DFT of the kernels.

A kernel of N samples occupies a few bandwidths of a spectrum of M points; only that stretch is computed. For
a window that is a sum of cosines it is a sum of Dirichlet kernels in closed form, for any other a zoom FFT.

With ν = f / sample_rate - j / M (cycles a sample off the centre), c = N ν, and the window's
``w[m] = sum_q b_q exp(2jπ q m / N)``, q from -P to P, the geometric series gives

    H[j] = sum_m w[m] exp(2jπ ν (start + m))
         = exp(jπ ν (2 start + N)) · sin(πc) · sum_q b_q (cot(π (c + q) / N) - 1j)

where only the cotangents matter if w[0] = sum_q b_q is zero. A kernel about its centre (2 start = -N) has a
real spectrum then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, next_fast_len, rfft
from scipy.signal import zoom_fft

from specconv.errors import Fault, ParameterError
from specconv.kernels.bank import KernelBank
from specconv.kernels.windows import cosine_terms

CHUNK = 1 << 14  # points at a time: the scratch arrays stay in the cache
WIDEST_ZOOM = 6  # a zoom FFT takes as long as a plain one of so many times the points
SHORTEST_SERIES = 2  # samples a term; a shorter window's poles wrap around the circle


@dataclass(frozen=True, eq=False)
class BankSpectra:
    """One stretch of spectrum for each of some bins of a bank.

    n_points: M, points of the whole grid; point j is j · sample_rate / M Hz.
    bins: ``(n,)`` int64, which bins of the bank.
    firsts: ``(n,)`` int64, grid point of each stretch's first value; may be negative, and a stretch may reach
        beyond M / 2: points j and j + M are one.
    counts: ``(n,)`` int64, 1 .. M.
    values: ``(sum(counts),)`` complex128, the stretches one after the other.
    """

    n_points: int
    bins: NDArray[np.int64]
    firsts: NDArray[np.int64]
    counts: NDArray[np.int64]
    values: NDArray[np.complex128]

    def stretch(self, i: int) -> NDArray[np.complex128]:
        """The values of the i-th of these bins."""
        end = int(np.sum(self.counts[: i + 1]))
        return self.values[end - int(self.counts[i]) : end]


def kernel_spectrum(
    bank: KernelBank, k: int, n_points: int, tolerance: float = 1e-5
) -> tuple[int, NDArray[np.complex128]]:
    """Bin k's ``H[j] = sum_m h_k[m] exp(-2jπ j (starts[k] + m) / n_points)`` where it matters.

    Returns the first j and the values from there on: every j where abs(H) exceeds ``tolerance`` of its peak
    is among them.
    """
    spectra = bank_spectra(bank, n_points, tolerance, [k])
    return int(spectra.firsts[0]), spectra.values


def bank_spectra(
    bank: KernelBank,
    n_points: int,
    tolerance: float = 1e-5,
    bins: Sequence[int] | NDArray[np.int64] | None = None,
) -> BankSpectra:
    """`kernel_spectrum` of these bins, or all. Raises ParameterError unless 0 < tolerance < 1 <= n_points."""
    chosen = np.arange(bank.n_bins) if bins is None else np.asarray(bins, dtype=np.int64)
    firsts, counts = spectral_extents(bank, n_points, tolerance, chosen)
    values = np.empty(int(counts.sum()), dtype=np.complex128)
    terms = _closed_form_terms(bank)
    end = 0
    for k, first, count in zip(chosen.tolist(), firsts.tolist(), counts.tolist(), strict=True):
        start, end = end, end + count
        stretch = values[start:end]
        if terms is None:
            _zoomed(bank, k, n_points, first, stretch)
            continue
        for done in range(0, count, CHUNK):
            piece = stretch[done : done + CHUNK]
            if bank.lengths[k] < SHORTEST_SERIES * len(terms):
                _summed(bank, k, n_points, first + done, piece)
            else:
                _dirichlet(bank, k, n_points, first + done, terms, piece)
    return BankSpectra(n_points, chosen, firsts, counts, values)


def spectral_extents(
    bank: KernelBank,
    n_points: int,
    tolerance: float = 1e-5,
    bins: Sequence[int] | NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First grid point and number of points of each stretch, ``(n,)`` each: what the values will cost."""
    if n_points < 1:
        raise ParameterError([Fault("n_points", f"is {n_points}; a grid has at least 1 point")])
    if not 0 < tolerance < 1:
        raise ParameterError([Fault("tolerance", f"is {tolerance:g}; must be above 0 and below 1")])
    chosen = np.arange(bank.n_bins) if bins is None else np.asarray(bins, dtype=np.int64)
    terms = _closed_form_terms(bank)
    if terms is None:
        reach = np.array([_measured_extent(bank, int(k), tolerance) for k in chosen])
    else:
        reach = _sidelobe_reach(terms, bank.lengths[chosen], tolerance) / bank.lengths[chosen]
    centres = bank.center_frequencies[chosen] / bank.sample_rate
    firsts = np.ceil((centres - reach) * n_points).astype(np.int64)
    counts = np.floor((centres + reach) * n_points).astype(np.int64) - firsts + 1
    empty = counts < 1  # a grid coarser than the kernel's spectrum: keep the nearest point
    firsts[empty], counts[empty] = np.rint(centres[empty] * n_points).astype(np.int64), 1
    whole = counts >= n_points
    firsts[whole], counts[whole] = (
        np.rint(centres[whole] * n_points).astype(np.int64) - n_points // 2,
        n_points,
    )
    return firsts, counts


def _closed_form_terms(bank: KernelBank) -> tuple[float, ...] | None:
    if type(bank).envelope is not KernelBank.envelope:
        return None
    return cosine_terms(bank.window)


def _sidelobe_reach(terms: tuple[float, ...], lengths: NDArray[np.int64], tolerance: float) -> NDArray[np.float64]:
    """The c, cycles a kernel, beyond which no sidelobe exceeds ``tolerance`` of the peak; at most N / 2."""
    n = lengths.astype(np.float64)[:, None]
    edge = len(terms) + 0.5  # beyond the poles of the main lobe
    scan = np.minimum(edge * np.geomspace(1.0, np.maximum(n / 2 / edge, 1.0)[:, 0], 192, axis=1), n / 2)

    def exceeds(c: NDArray[np.float64]) -> NDArray[np.bool_]:
        floor = abs(_first_sample(terms))
        return np.hypot(_cotangents(np.tan(np.pi * c / n), terms, n), floor) > tolerance * terms[0] * n

    # Sidelobes need not fall steadily (Hamming's do not): find the outermost crossing, then refine it.
    loud = exceeds(scan)
    outermost = np.where(loud.any(axis=1), scan.shape[1] - 1 - np.argmax(loud[:, ::-1], axis=1), 0)[:, None]
    inner = np.take_along_axis(scan, outermost, axis=1)
    outer = np.take_along_axis(scan, np.minimum(outermost + 1, scan.shape[1] - 1), axis=1)
    for _ in range(12):
        middle = (inner + outer) / 2
        is_loud = exceeds(middle)
        inner, outer = np.where(is_loud, middle, inner), np.where(is_loud, outer, middle)
    reach: NDArray[np.float64] = outer[:, 0]
    return reach


def _first_sample(terms: tuple[float, ...]) -> float:
    """w[0]; rounding of the terms is not a sample."""
    first = sum(terms)
    return first if abs(first) > 1e-14 else 0.0


def _cotangents(
    t: NDArray[np.float64], terms: tuple[float, ...], n: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """``sum_q b_q cot(π (c + q) / N)`` from ``t = tan(π c / N)``; not a number at a pole, and inexact beside it."""
    square = t * t
    with np.errstate(divide="ignore", invalid="ignore"):
        total = terms[0] / square
        for q, a in enumerate(terms[1:], 1):
            pole = np.tan(np.pi * q / n) ** 2
            total += (a * (1 + pole)) / (square - pole)
        total *= t
    return total


def _dirichlet(
    bank: KernelBank, k: int, n_points: int, first: int, terms: tuple[float, ...], out: NDArray[np.complex128]
) -> None:
    """Writes the spectrum of bin k from grid point ``first`` on, for as many points as ``out`` has."""
    n = int(bank.lengths[k])
    step = n / n_points
    # The first point's distance to the centre in more than double precision, then small steps from there: the
    # difference of two large, nearly equal numbers would cost the phase its last digits.
    centre = np.longdouble(bank.center_frequencies[k]) / np.longdouble(bank.sample_rate)
    offset = float((centre - np.longdouble(first) / n_points) * n)
    c: NDArray[np.float64] = offset - step * np.arange(len(out), dtype=np.float64)
    t = np.tan((np.pi / n) * c)
    sine, _ = _sine_and_cosine(np.tan((np.pi / 2) * c))
    level = sine * _cotangents(t, terms, n)
    lobe = len(terms) - 0.5  # the poles lie in the main lobe
    start, stop = max(0, int((offset - lobe) / step)), min(len(out), int((offset + lobe) / step) + 2)
    if start < stop:
        level[start:stop] = _main_lobe(c[start:stop], terms, n)

    skew = 2 * int(bank.starts[k]) + n
    turn_sine, turn_cosine = _sine_and_cosine(np.tan((np.pi / 2 * skew / n) * c))
    np.multiply(level, turn_cosine, out=out.real)
    np.multiply(level, turn_sine, out=out.imag)
    if first_sample := _first_sample(terms):
        sine *= first_sample
        out.real += sine * turn_sine
        out.imag -= sine * turn_cosine
    out *= bank.gains[k]


def _main_lobe(c: NDArray[np.float64], terms: tuple[float, ...], n: int) -> NDArray[np.float64]:
    """``sin(πc) · sum_q b_q cot(π (c + q) / N)`` at and near its poles, term by term through sinc."""
    total = np.zeros_like(c)
    order = len(terms) - 1
    for q in range(-order, order + 1):
        delta = c + q
        angle = np.pi / n * delta
        tangent = np.tan(angle)
        ratio = np.divide(angle, tangent, out=np.ones_like(angle), where=tangent != 0)
        weight = (terms[0] if q == 0 else terms[abs(q)] / 2) * (-1) ** q
        total += (weight * n) * np.sinc(delta) * ratio
    return total


def _sine_and_cosine(
    half_tangent: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of an angle, by the tangent of its half: numpy's tangent is several times faster than its sine."""
    share = 2 / (1 + half_tangent * half_tangent)
    return half_tangent * share, share - 1


def _measured_extent(bank: KernelBank, k: int, tolerance: float) -> float:
    """How far off its centre bin k exceeds ``tolerance`` of its peak, in cycles a sample, at most 1/2."""
    length = int(bank.lengths[k])
    size = next_fast_len(4 * length, real=True)
    level = np.abs(rfft(bank.envelope(k), size))
    loud = int(np.flatnonzero(level > tolerance * level.max())[-1])
    return min(0.5, (loud + 1) / size + 1 / length)  # and one lobe more: the peaks fall between the points


def _summed(bank: KernelBank, k: int, n_points: int, first: int, out: NDArray[np.complex128]) -> None:
    """As `_dirichlet`, for a kernel of a few samples: the definition."""
    points = first + np.arange(len(out))
    cycles = bank.center_frequencies[k] / bank.sample_rate - points / n_points
    step = np.exp(2j * np.pi * cycles)
    out[:] = 0
    for sample in bank.envelope(k)[::-1]:
        out *= step
        out += sample
    out *= bank.gains[k] * np.exp(2j * np.pi * cycles * int(bank.starts[k]))


def _zoomed(bank: KernelBank, k: int, n_points: int, first: int, out: NDArray[np.complex128]) -> None:
    """As `_dirichlet`, for any envelope; by one whole FFT where that is quicker than a wide zoom."""
    centre = bank.center_frequencies[k] / bank.sample_rate
    envelope, start = bank.envelope(k), int(bank.starts[k])
    if len(out) > n_points / WIDEST_ZOOM and len(envelope) <= n_points:
        cycles = centre * (start + np.arange(len(envelope)))
        circle = np.zeros(n_points, dtype=np.complex128)
        circle[: len(envelope)] = envelope * np.exp(2j * np.pi * cycles)
        whole = fft(np.roll(circle, start), overwrite_x=True)
        np.take(whole, np.arange(first, first + len(out)), mode="wrap", out=out)
        out *= bank.gains[k]
        return
    below = first / n_points - centre
    out[:] = zoom_fft(envelope, [below, below + len(out) / n_points], len(out), fs=1.0)
    cycles = (centre - (first + np.arange(len(out))) / n_points) * start
    out *= bank.gains[k] * np.exp(2j * np.pi * cycles)
