"""Numbers of float64 that follow the audio's precision."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from specconv.engines.constant import Constant

THIRD = np.array([1 / 3, 2 / 3])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
def test_numbers_take_the_precision_of_the_signal(dtype: torch.dtype) -> None:
    signal = torch.zeros(1, dtype=dtype)
    real, turned = Constant(THIRD).like(signal), Constant(1j * THIRD).like(signal)
    assert (real.dtype, turned.dtype) == (dtype.to_real(), dtype.to_complex())
    assert torch.equal(real, torch.tensor(THIRD).to(real.dtype))
    assert torch.equal(turned, torch.tensor(1j * THIRD).to(turned.dtype))


def test_a_coarse_use_costs_a_later_fine_one_no_digits() -> None:
    constant = Constant(THIRD)
    constant.like(torch.zeros(1))
    assert np.array_equal(constant.like(torch.zeros(1, dtype=torch.float64)).numpy(), THIRD)
    assert np.array_equal(constant.values, THIRD)


def test_integers_stay_integers_and_copies_are_kept() -> None:
    columns = Constant(np.arange(3))
    assert columns.like(torch.zeros(1)).dtype == torch.int64
    constant = Constant(THIRD)
    assert constant.like(torch.zeros(1)) is constant.like(torch.ones(5))


def test_a_sparse_matrix_multiplies_as_a_dense_one() -> None:
    dense = np.array([[0.0, 2.0, 0.0], [1 / 3, 0.0, 0.0], [0.0, 0.0, 0.0]])
    columns = torch.randn(3, 4, dtype=torch.float64)
    product = Constant(csr_array(dense)).like(columns) @ columns
    torch.testing.assert_close(product, torch.tensor(dense) @ columns)


def test_copies_and_pickles_hold_the_numbers_alone() -> None:
    constant = Constant(np.zeros(1000))
    constant.like(torch.zeros(1))
    assert copy.deepcopy(constant) is constant
    written = pickle.dumps(constant)
    assert len(written) < 10_000  # one copy
    assert pickle.loads(written).like(torch.zeros(1)).shape == (1000,)


def test_made_in_inference_mode_it_takes_part_in_gradients() -> None:
    with torch.inference_mode():
        constant = Constant(THIRD)
        constant.like(torch.zeros(1))
    signal = torch.ones(2, requires_grad=True)
    (signal * constant.like(signal)).sum().backward()  # type: ignore[no-untyped-call]
    assert torch.equal(signal.grad, torch.tensor(THIRD).float())  # type: ignore[arg-type]
