"""The oracle sums the definition with phases reduced in exact integers, so that it is exact to rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from specconv.errors import ParameterError
from specconv.kernels.bank import KernelBank
from specconv.kernels.constant_q import constant_q_bank
from specconv.kernels.gammatone import gammatone_bank
from specconv.kernels.spectrum import bank_spectra, kernel_spectrum, spectral_extents
from specconv.kernels.windows import WindowSpec

COSINE_SUMS = ["hann", "hamming", "boxcar", "blackman", "nuttall", "blackmanharris", "flattop"]
RATE = 48000


def one_kernel(frequency: int, length: int, start: int, window: WindowSpec = "hann", gain: complex = 1.0) -> KernelBank:
    return KernelBank(RATE, np.array([frequency]), np.array([length]), np.array([start]), np.array([gain]), window)


def exact_spectrum(bank: KernelBank, n_points: int, points: NDArray[np.int64]) -> NDArray[np.complex128]:
    """The only kernel's spectrum at these points; its frequency is a whole number of Hz."""
    times = (int(bank.starts[0]) + np.arange(bank.lengths[0])).astype(object)
    frequency = int(bank.center_frequencies[0])
    values = []
    for j in points:
        turns = times * (frequency * n_points - int(j) * RATE) % (RATE * n_points)
        phases = turns.astype(np.float64) / (RATE * n_points)
        values.append(np.sum(bank.envelope(0) * np.exp(2j * np.pi * phases)))
    return bank.gains[0] * np.array(values)


@settings(max_examples=120, deadline=None)
@given(
    window=st.sampled_from(COSINE_SUMS),
    length=st.integers(1, 3000),
    frequency=st.integers(0, RATE // 2),
    n_points=st.integers(1, 20000),
    lead=st.integers(-20, 20),
    tolerance=st.sampled_from([1e-3, 1e-5, 1e-8]),
)
def test_closed_form_is_the_sum(
    window: str, length: int, frequency: int, n_points: int, lead: int, tolerance: float
) -> None:
    bank = one_kernel(frequency, length, lead - length // 2, window, gain=0.7 - 0.2j)
    first, values = kernel_spectrum(bank, 0, n_points, tolerance)
    picked = np.unique(np.linspace(0, len(values) - 1, 25).astype(np.int64))
    expected = exact_spectrum(bank, n_points, first + picked)
    peak = abs(bank.gains[0]) * np.abs(bank.envelope(0)).sum()
    assert np.max(np.abs(values[picked] - expected)) < 1e-12 * peak
    assert 1 <= len(values) <= n_points


@pytest.mark.parametrize("window", [*COSINE_SUMS, ("kaiser", 8.6)])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 16, 333, 5000])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-6])
def test_nothing_louder_is_left_out(window: WindowSpec, length: int, tolerance: float) -> None:
    n_points = 16384
    bank = one_kernel(5000, length, -(length // 2), window)
    first, values = kernel_spectrum(bank, 0, n_points, tolerance)
    placed = np.zeros(n_points, dtype=complex)
    placed[(bank.starts[0] + np.arange(length)) % n_points] = bank.kernel(0)
    whole = np.fft.fft(placed)
    inside = (first + np.arange(len(values))) % n_points
    peak = np.abs(bank.envelope(0)).sum()
    np.testing.assert_allclose(values, whole[inside], atol=1e-11 * peak)
    outside = np.delete(whole, inside)
    assert outside.size == 0 or np.abs(outside).max() <= tolerance * peak


def test_a_narrow_stretch_is_narrow() -> None:
    # Hann: sidelobes fall as 1 / (π c³), so 1e-5 lies near c = 32 cycles a kernel on either side.
    bank = one_kernel(6000, 48000, -24000)
    first, values = kernel_spectrum(bank, 0, 480_000, 1e-5)
    assert 560 < len(values) < 720
    assert first == pytest.approx(60000 - len(values) / 2, abs=2)


def test_points_on_and_next_to_the_poles() -> None:
    # The grid meets every zero of the window's spectrum exactly, then misses them by a millionth.
    for frequency, n_points in [(4800, 1000), (4800, 1_000_000), (4801, 999_983)]:
        bank = one_kernel(frequency, 1000, -500, "blackman")
        centre = round(frequency * n_points / RATE)
        spectra = bank_spectra(bank, n_points, 1e-6)
        points = np.unique(np.linspace(centre - 4.1 * n_points / 1000, centre + 4.1 * n_points / 1000, 200).astype(int))
        points = points[(points >= spectra.firsts[0]) & (points < spectra.firsts[0] + spectra.counts[0])]
        expected = exact_spectrum(bank, n_points, points)
        assert np.max(np.abs(spectra.values[points - spectra.firsts[0]] - expected)) < 1e-12 * 420


def test_a_kernel_about_its_centre_has_a_real_spectrum() -> None:
    _, values = kernel_spectrum(one_kernel(1000, 400, -200), 0, 9600)
    assert np.all(values.imag == 0)
    assert np.abs(values.real).max() == pytest.approx(200)


def test_long_grids_keep_the_phase() -> None:
    bank = one_kernel(19_997, 60_001, -30_000)
    n_points = 2_900_000
    first, values = kernel_spectrum(bank, 0, n_points)
    picked = np.linspace(0, len(values) - 1, 9).astype(np.int64)
    expected = exact_spectrum(bank, n_points, first + picked)
    assert np.max(np.abs(values[picked] - expected)) < 1e-12 * 30_000


def test_a_banks_stretches_are_its_kernels() -> None:
    bank = constant_q_bank(22050, 60.0, 40, 12)
    chosen = [3, 39, 0]
    spectra = bank_spectra(bank, 40_000, bins=chosen)
    firsts, counts = spectral_extents(bank, 40_000, bins=chosen)
    np.testing.assert_array_equal(spectra.firsts, firsts)
    np.testing.assert_array_equal(spectra.counts, counts)
    assert len(spectra.values) == counts.sum()
    for i, k in enumerate(chosen):
        first, values = kernel_spectrum(bank, k, 40_000)
        assert first == spectra.firsts[i]
        np.testing.assert_array_equal(spectra.stretch(i), values)


def test_a_banks_own_envelope_is_transformed() -> None:
    bank = gammatone_bank(16000, 12, f_min=100)
    n_points = 20_000
    for k in range(bank.n_bins):  # narrow ones by zoom, wide ones by a whole FFT
        first, values = kernel_spectrum(bank, k, n_points)
        times = bank.starts[k] + np.arange(bank.lengths[k])
        points = (first + np.linspace(0, len(values) - 1, 40)).astype(np.int64)
        expected = np.exp(-2j * np.pi * np.outer(points, times) / n_points) @ bank.kernel(k)
        np.testing.assert_allclose(values[points - first], expected, atol=1e-10)


def test_zero_hertz_reaches_below_zero() -> None:
    first, values = kernel_spectrum(one_kernel(0, 480, -240), 0, 4800)
    assert first < 0
    np.testing.assert_allclose(values, values[::-1], atol=1e-12)


@pytest.mark.parametrize(
    ("n_points", "tolerance", "key"), [(0, 1e-5, "n_points"), (100, 0, "tolerance"), (100, 1, "tolerance")]
)
def test_an_impossible_grid_is_refused(n_points: int, tolerance: float, key: str) -> None:
    with pytest.raises(ParameterError) as caught:
        kernel_spectrum(one_kernel(100, 50, -25), 0, n_points, tolerance)
    assert caught.value.faults[0].key == key
