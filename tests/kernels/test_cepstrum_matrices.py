from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import scipy.fft

from specconv.errors import ParameterError
from specconv.kernels.cepstrum import dct_matrix, lifter_weights


@pytest.mark.parametrize("norm", ["ortho", None])
@pytest.mark.parametrize(("n_coefficients", "n_bins"), [(1, 1), (13, 40), (40, 40), (20, 127)])
def test_rows_are_scipys_dct(norm: Literal["ortho"] | None, n_coefficients: int, n_bins: int) -> None:
    values = np.random.default_rng(0).standard_normal(n_bins)
    expected = scipy.fft.dct(values, type=2, norm=norm)[:n_coefficients]
    np.testing.assert_allclose(dct_matrix(n_coefficients, n_bins, norm=norm) @ values, expected, atol=1e-12)


def test_orthonormal_rows_keep_lengths() -> None:
    matrix = dct_matrix(40, 40)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(40), atol=1e-13)


@pytest.mark.parametrize("n_coefficients", [0, 41])
def test_more_coefficients_than_bins_are_refused(n_coefficients: int) -> None:
    with pytest.raises(ParameterError, match="40 bins"):
        dct_matrix(n_coefficients, 40)


def test_lifter_is_a_raised_half_sine() -> None:
    weights = lifter_weights(22, 22)
    assert weights.argmax() == 10
    assert weights[10] == pytest.approx(12)
    assert weights[21] == pytest.approx(1)
    np.testing.assert_array_equal(lifter_weights(5, 0), np.ones(5))
    with pytest.raises(ParameterError, match="lifter"):
        lifter_weights(5, -1)


@pytest.mark.parity
def test_liftered_coefficients_are_librosas() -> None:
    import librosa

    levels = np.random.default_rng(1).standard_normal((40, 7))
    theirs = librosa.feature.mfcc(S=levels, n_mfcc=13, lifter=22)
    ours = lifter_weights(13, 22)[:, None] * (dct_matrix(13, 40) @ levels)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
