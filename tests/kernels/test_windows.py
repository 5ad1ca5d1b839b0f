from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from specconv.errors import ParameterError
from specconv.kernels.windows import WindowSpec, cosine_terms, window, window_norms

COSINE_SUMS = ["boxcar", "hann", "hamming", "blackman", "nuttall", "blackmanharris", "flattop"]


@pytest.mark.parametrize("name", COSINE_SUMS)
@pytest.mark.parametrize("length", [2, 5, 6, 400, 401])
def test_cosine_terms_are_the_window(name: str, length: int) -> None:
    terms = cosine_terms(name)
    assert terms is not None
    n = np.arange(length)
    expected = sum(a * np.cos(2 * np.pi * m * n / length) for m, a in enumerate(terms))
    np.testing.assert_allclose(window(name, length), expected, atol=1e-15)


@pytest.mark.parametrize("name", [*COSINE_SUMS, "bartlett", ("kaiser", 8.6), ("tukey", 0.3), ("gaussian", 40)])
@pytest.mark.parametrize("length", [1, 2, 255, 256])
def test_periodic_and_symmetric_are_scipys(name: WindowSpec, length: int) -> None:
    np.testing.assert_array_equal(window(name, length), scipy.signal.get_window(name, length, fftbins=True))
    symmetric = scipy.signal.get_window(name, length, fftbins=False)
    np.testing.assert_array_equal(window(name, length, periodic=False), symmetric)
    np.testing.assert_allclose(symmetric, symmetric[::-1], atol=1e-12)


def test_other_names_of_a_window_are_that_window() -> None:
    np.testing.assert_array_equal(window("ones", 9), window("boxcar", 9))
    assert cosine_terms("hanning") == cosine_terms(("hann",)) == (0.5, -0.5)


def test_other_windows_are_no_sum_of_cosines() -> None:
    assert cosine_terms("bartlett") is None
    assert cosine_terms(("kaiser", 8.6)) is None


@pytest.mark.parametrize("spec", ["bellcurve", "kaiser", ("hann", 3.0, 4.0)])
def test_an_unknown_window_is_refused(spec: WindowSpec) -> None:
    with pytest.raises(ParameterError, match="no window"):
        window(spec, 8)


@pytest.mark.parametrize("name", [*COSINE_SUMS, "bartlett", ("kaiser", 8.6)])
@pytest.mark.parametrize("order", [1, 2, np.inf])
def test_norms_are_those_of_the_samples(name: WindowSpec, order: float) -> None:
    lengths = np.array([1, 2, 3, 4, 7, 12, 100, 1001])
    expected = [np.linalg.norm(window(name, int(n)), order) for n in lengths]
    np.testing.assert_allclose(window_norms(name, lengths, order), expected, rtol=1e-13)
