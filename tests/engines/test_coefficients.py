from __future__ import annotations

import numpy as np
import pytest
import torch

from specconv.engines.coefficients import DenseCoefficients


def values(dtype: torch.dtype = torch.complex64) -> torch.Tensor:
    return torch.randn(2, 5, 7, dtype=dtype, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2)])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.complex64, 1e-6), (torch.complex128, 1e-14)])
def test_forms_are_those_of_the_complex_values(order: tuple[int, ...], dtype: torch.dtype, bound: float) -> None:
    """Whatever lies innermost in memory."""
    given = values(dtype).permute(order).contiguous().permute(*np.argsort(order).tolist())
    exact = given.to(torch.complex128).numpy()
    coefficients = DenseCoefficients(given)
    assert coefficients.complex is given
    for found, expected in ((coefficients.power, abs(exact) ** 2), (coefficients.magnitude, abs(exact))):
        assert found.dtype == dtype.to_real()
        np.testing.assert_allclose(found.numpy(), expected, rtol=bound)


def test_each_form_is_computed_once() -> None:
    coefficients = DenseCoefficients(values())
    assert coefficients.power is coefficients.power
    assert coefficients.magnitude is coefficients.magnitude


def test_silence_is_silent_and_has_no_slope() -> None:
    silent = torch.zeros(1, 3, 2, dtype=torch.complex64, requires_grad=True)
    coefficients = DenseCoefficients(silent)
    assert not coefficients.magnitude.any()
    (coefficients.magnitude.sum() + coefficients.power.sum()).backward()
    assert silent.grad is not None
    assert not silent.grad.any()


def test_gradients_are_those_of_the_forms() -> None:
    given = values(torch.complex128).requires_grad_()
    for form in ("power", "magnitude"):
        assert torch.autograd.gradcheck(lambda x, form=form: getattr(DenseCoefficients(x), form), given)
