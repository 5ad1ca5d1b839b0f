from __future__ import annotations

import numpy as np
import pytest
import torch

from specconv.engines.framed_fft import Framing
from specconv.engines.overlap_add import OverlapAdd
from specconv.errors import ParameterError


def spectra(n_clips: int, n_fft: int, n_frames: int) -> torch.Tensor:
    shape = n_clips, n_fft // 2 + 1, n_frames
    return torch.randn(shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("n_frames", [1, 2, 5, 40])
@pytest.mark.parametrize(("n_fft", "hop", "win"), [(32, 8, 32), (31, 7, 20), (16, 16, 16), (24, 5, 24)])
def test_the_sums_of_the_definition(n_fft: int, hop: int, win: int, n_frames: int) -> None:
    framing = Framing(n_fft, hop, win, "hamming", False, "constant")
    given = spectra(2, n_fft, n_frames)
    window = np.zeros(n_fft)
    before = (n_fft - win) // 2
    window[before : before + win] = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(win) / win)
    n_samples = (n_frames - 1) * hop + n_fft
    above, below = np.zeros((2, n_samples)), np.zeros(n_samples)
    for t in range(n_frames):
        above[:, t * hop : t * hop + n_fft] += window * np.fft.irfft(given[:, :, t].numpy(), n_fft)
        below[t * hop : t * hop + n_fft] += window**2
    expected = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    found = OverlapAdd(framing)(given, n_samples + 3)
    np.testing.assert_allclose(found[:, :n_samples], expected, rtol=0, atol=1e-12)
    assert not found[:, n_samples:].any()


def test_many_clips_and_long_ones_are_cut_into_tiles() -> None:
    framing = Framing(1024, 256, 1024, "hann", True, "reflect")
    invert = OverlapAdd(framing)
    for given in (spectra(300, 1024, 3), spectra(2, 1024, 700)):
        together = invert(given, 256 * given.shape[2])
        torch.testing.assert_close(together[-1:], invert(given[-1:], 256 * given.shape[2]), rtol=0, atol=1e-12)


def test_a_floor_fades_what_few_windows_see() -> None:
    framing = Framing(64, 16, 64, "hann", False, "constant")
    given = spectra(1, 64, 10)
    exact, faded = OverlapAdd(framing)(given, 200), OverlapAdd(framing, floor=0.1)(given, 200)
    torch.testing.assert_close(faded[:, 20:180], exact[:, 20:180])
    assert faded[:, 1:5].abs().max() < 0.2 * exact[:, 1:5].abs().max()


def test_samples_that_no_window_sees_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"hop_length: is 64 samples; the window 'hann' of 64 leaves sample 0"):
        OverlapAdd(Framing(64, 64, 64, "hann", True, "reflect"))
    OverlapAdd(Framing(64, 63, 64, "hann", True, "reflect"))
