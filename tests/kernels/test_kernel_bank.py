from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from specconv.errors import ParameterError
from specconv.kernels.bank import LONGEST_KERNEL, KernelBank

GOOD: dict[str, Any] = {
    "sample_rate": 8000.0,
    "center_frequencies": [440.0, 1000.0],
    "lengths": [101, 50],
    "starts": [-50, -20],
    "gains": [2.0, 0.5],
}


def test_a_kernel_is_its_definition() -> None:
    bank = KernelBank(**GOOD, window="hamming")
    for k, (f, n, start, gain) in enumerate([(440.0, 101, -50, 2.0), (1000.0, 50, -20, 0.5)]):
        m = np.arange(n)
        window = 0.54 - 0.46 * np.cos(2 * np.pi * m / n)
        expected = gain * window * np.exp(2j * np.pi * f * (start + m) / 8000)
        np.testing.assert_allclose(bank.kernel(k), expected, atol=1e-13)


def test_complex_gains_turn_a_kernel() -> None:
    bank = KernelBank(**{**GOOD, "gains": [2j, 0.5]})
    turned = KernelBank(**GOOD)
    np.testing.assert_allclose(bank.kernel(0), 1j * turned.kernel(0))
    assert bank.gains.dtype == np.complex128
    assert turned.gains.dtype == np.float64


def test_reach_covers_every_kernel() -> None:
    bank = KernelBank(**GOOD)
    assert (bank.n_bins, bank.left, bank.right, bank.span) == (2, 50, 51, 101)


def test_arrays_are_copied_and_cannot_be_changed() -> None:
    frequencies = np.array([440.0, 1000.0])
    bank = KernelBank(**{**GOOD, "center_frequencies": frequencies})
    frequencies[0] = 1.0
    assert bank.center_frequencies[0] == 440.0
    with pytest.raises(ValueError, match="read-only"):
        bank.gains[0] = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        bank.sample_rate = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "key", "says"),
    [
        ({"sample_rate": 0.0}, "sample_rate", "positive"),
        ({"sample_rate": float("nan")}, "sample_rate", "nan"),
        ({"center_frequencies": [440.0, 4001.0]}, "center_frequencies", "bin 1 lies at 4001 Hz.*4000 Hz"),
        ({"center_frequencies": [-1.0, 5.0]}, "center_frequencies", "bin 0"),
        ({"lengths": [101, 0]}, "lengths", "at least one sample"),
        ({"lengths": [LONGEST_KERNEL + 1, 9]}, "lengths", "raise the lowest frequency"),
        ({"gains": [1.0, float("inf")]}, "gains", "finite"),
        ({"gains": [1.0]}, "", "shapes"),
    ],
)
def test_an_impossible_bank_is_refused(change: dict[str, Any], key: str, says: str) -> None:
    with pytest.raises(ParameterError, match=says) as caught:
        KernelBank(**{**GOOD, **change})
    assert [fault.key for fault in caught.value.faults] == [key]


def test_an_empty_bank_is_refused() -> None:
    with pytest.raises(ParameterError, match="at least one bin"):
        KernelBank(8000.0, np.array([]), np.array([]), np.array([]), np.array([]))


def test_all_faults_come_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        KernelBank(**{**GOOD, "center_frequencies": [0.0, 9e9], "lengths": [0, 1]})
    assert [fault.key for fault in caught.value.faults] == ["center_frequencies", "lengths"]
