from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from specconv.errors import ParameterError
from specconv.kernels.cfp import cfp_weights

BAND: dict[str, Any] = {"f_min": 80.0, "f_max": 1000.0, "bins_per_octave": 48}


def test_a_partial_and_its_period_meet_in_one_bin() -> None:
    weights = cfp_weights(16000, 8000, **BAND)
    assert weights.center_frequencies[0] == 80
    assert 2 ** (-1 / 48) * 1000 <= weights.center_frequencies[-1] < 1000
    for k in (48, 96, 144):  # 160, 320, 640 Hz: a whole bin of 2 Hz and a whole period of samples
        frequency = weights.center_frequencies[k]
        assert weights.frequency[k, round(frequency / 2)] == pytest.approx(1)
        assert weights.quefrency[k, round(16000 / frequency)] == pytest.approx(1)
        assert weights.frequency[:, round(frequency / 2)].argmax() == k


def test_every_bin_hears_the_spectrum() -> None:
    weights = cfp_weights(44100, 4410, f_min=55, f_max=4000, bins_per_octave=120)
    assert np.all(weights.frequency.max(axis=1) > 0)
    # Neighbouring triangles overlap to one, wherever there are enough bins below them.
    inside = slice(int(1200 / 10), int(3800 / 10))
    np.testing.assert_allclose(weights.frequency.sum(axis=0)[inside], 1, atol=1e-9)


@pytest.mark.parity
@pytest.mark.parametrize(
    ("sample_rate", "resolution", "f_min", "f_max", "bins_per_octave"),
    [(16000, 2, 80, 1000, 48), (44100, 2, 55, 2000, 36), (16000, 5, 100, 3000, 96), (8000, 4, 80, 640, 12)],
)
def test_weights_are_nnaudios(sample_rate: int, resolution: int, f_min: int, f_max: int, bins_per_octave: int) -> None:
    from nnAudio.features.cfp import CFP

    n_fft = sample_rate // resolution
    frequencies = sample_rate * np.linspace(0, 0.5, n_fft // 2)[: round(f_max / resolution) + 1]
    quefrencies = np.arange(round(sample_rate / f_min) + 1) / sample_rate
    with np.errstate(divide="ignore"):
        frequency, quefrency = CFP.create_logfreq_matrix(
            None, frequencies, quefrencies, resolution, f_min, 1 / f_max, bins_per_octave, sample_rate
        )
    ours = cfp_weights(sample_rate, n_fft, f_min=f_min, f_max=f_max, bins_per_octave=bins_per_octave, parity="nnaudio")
    np.testing.assert_allclose(ours.frequency, frequency, atol=1e-12)
    np.testing.assert_allclose(ours.quefrency, quefrency, atol=1e-12)
    assert len(ours.center_frequencies) == len(frequency)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"f_max": 8001.0}, "f_max"),
        ({"f_min": 0.0}, "f_min"),
        ({"bins_per_octave": 0}, "bins_per_octave"),
        ({"n_fft": 2}, "n_fft"),
        ({"n_fft": 256}, "f_min"),  # 80 Hz: a period of 200 samples, and a cepstrum of 128
    ],
)
def test_impossible_weights_are_refused(change: dict[str, Any], key: str) -> None:
    with pytest.raises(ParameterError) as caught:
        cfp_weights(**{"sample_rate": 16000, "n_fft": 8000, **BAND, **change})
    assert [fault.key for fault in caught.value.faults] == [key]
