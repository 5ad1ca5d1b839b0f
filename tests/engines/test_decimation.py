"""The low points of a spectrum from fewer samples are those of the whole."""

from __future__ import annotations

import pytest
import torch

from specconv.engines.decimation import BAND, FACTORS, decimate, factor, needed, reach


@pytest.mark.parametrize("d", FACTORS)
def test_points_of_the_kept_band_are_those_of_the_whole_spectrum(d: int) -> None:
    """An impulse anywhere has a flat spectrum: what it gives bounds ripple and aliases of any waveform."""
    n = 256 * d
    for at in (n // 2, n // 2 + 1, n // 2 + d // 2):
        waveform = torch.zeros(1, needed(256, d), dtype=torch.float64)
        waveform[0, reach(d) + at] = 1.0
        whole = torch.fft.rfft(waveform[:, reach(d) : reach(d) + n])
        fewer = torch.fft.rfft(decimate(waveform, d)[:, :256])
        kept = int(BAND * 256)
        assert (fewer[:, :kept] - whole[:, :kept]).abs().max() < 1.5e-6


@pytest.mark.parametrize("d", FACTORS)
def test_what_is_above_the_band_does_not_fold_into_it(d: int) -> None:
    n = needed(256, d)
    for frequency in (0.75 / d, 1 / d, 0.5):
        loud = torch.cos(2 * torch.pi * frequency * torch.arange(n, dtype=torch.float64))[None]
        spectrum = torch.fft.rfft(decimate(loud, d)[:, :256] * torch.hann_window(256, dtype=torch.float64))
        assert spectrum.abs()[0, : int(BAND * 256) - 4].max() < 1e-6 * 128 * d  # of the tone's own peak


def test_factor_keeps_the_band_and_divides() -> None:
    assert factor(0.03, 512 * 224, 512 * 160) == 8
    assert factor(0.03, 441 * 224, 441 * 161) == 1
    assert factor(0.03, 441 * 224, 441 * 160) == 8
    assert factor(0.07, 512 * 224) == 1
    assert factor(1e-5, 512 * 224) == FACTORS[0]
