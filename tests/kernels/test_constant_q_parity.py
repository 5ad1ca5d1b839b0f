"""Distances to librosa and nnAudio, in the largest magnitude; each bound is about twice what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernel_oracle import distance, slide
from numpy.typing import NDArray

from specconv.kernels.bank import KernelBank
from specconv.kernels.constant_q import constant_q_bank
from specconv.kernels.constant_q_parity import librosa_constant_q_bank, nnaudio_constant_q_bank

pytestmark = pytest.mark.parity


def noise_amid_silence(sample_rate: int, seconds: float, silence: float) -> NDArray[np.float64]:
    """So much silence on either side that no kernel reaches both the noise and an end."""
    waveform = np.random.default_rng(0).standard_normal(int(sample_rate * seconds))
    return np.pad(waveform, int(sample_rate * silence))


def librosa_vqt(waveform: NDArray[np.float64], sparsity: float = 0, **kwargs: Any) -> NDArray[np.complex128]:
    import librosa

    result: NDArray[np.complex128] = librosa.vqt(
        waveform, res_type="soxr_vhq", sparsity=sparsity, tuning=0, dtype=np.complex128, **kwargs
    )
    return result


def without_negative_frequencies(
    waveform: NDArray[np.float64], bank: KernelBank, hop_length: int, n_fft: int
) -> NDArray[np.complex128]:
    """What librosa's product of one-sided spectra comes to."""
    padded = np.pad(waveform, (n_fft // 2, n_fft))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length][: 1 + len(waveform) // hop_length]
    spectra = np.fft.rfft(frames, axis=1)
    kernels = np.zeros((bank.n_bins, n_fft), dtype=complex)
    for k in range(bank.n_bins):
        first = n_fft // 2 + int(bank.starts[k])
        kernels[k, first : first + int(bank.lengths[k])] = bank.kernel(k)
    return (np.fft.fft(kernels, axis=1)[:, : n_fft // 2 + 1].conj() @ spectra.T) / n_fft


@pytest.mark.parametrize("kwargs", [{}, {"filter_scale": 0.5}, {"gamma": 15.0}, {"norm": 2}, {"scale": False}])
def test_the_definition_is_librosas_top_octave(kwargs: dict[str, Any]) -> None:
    waveform = np.random.default_rng(1).standard_normal(22050)
    band: dict[str, Any] = {"n_bins": 12, "bins_per_octave": 12}
    theirs = librosa_vqt(waveform, sr=22050, fmin=2000, hop_length=256, **band, **{"gamma": 0, **kwargs})
    ours_kwargs: Any = {"gain": "length"} if kwargs.pop("scale", True) is False else kwargs
    bank = constant_q_bank(22050, 2000, **band, **ours_kwargs)
    one_sided = without_negative_frequencies(waveform, bank, 256, 1 << int(np.ceil(np.log2(bank.span + 1))))
    assert distance(theirs, one_sided) < 1e-6
    assert distance(theirs, slide(waveform, bank, 256)) < 5e-4
    assert librosa_constant_q_bank(22050, 2000, hop_length=256, **band).lengths.tolist() == (
        constant_q_bank(22050, 2000, **band).lengths.tolist()
    )


@pytest.mark.parametrize(
    ("sample_rate", "f_min", "n_bins", "bins_per_octave", "hop_length", "kwargs", "bound"),
    [
        (44100, 55.0, 84, 24, 512, {}, 3e-5),  # downsampled 16 times before the first octave
        (44100, 65.406, 72, 12, 512, {}, 2e-4),
        (22050, 65.406, 70, 12, 384, {}, 2e-4),  # the last octave is not whole
        (22050, 65.406, 60, 12, 500, {}, 2e-4),  # two halvings in the hop, five octaves
        (22050, 440.0, 24, 12, 512, {}, 2e-4),
        (22050, 100.0, 36, 12, 512, {"norm": 2}, 1.2e-4),
        (22050, 100.0, 36, 12, 512, {"filter_scale": 2.0}, 5e-5),
        (22050, 100.0, 36, 12, 512, {"window": "blackmanharris"}, 1e-5),
        (22050, 200.0, 48, 12, 512, {"gamma": 5.0}, 5e-4),
        (22050, 200.0, 48, 12, 512, {"gamma": None}, 2e-2),
    ],
)
def test_librosas_bank_is_librosa(
    sample_rate: int,
    f_min: float,
    n_bins: int,
    bins_per_octave: int,
    hop_length: int,
    kwargs: dict[str, Any],
    bound: float,
) -> None:
    waveform = noise_amid_silence(sample_rate, 1.0, 0.7)
    theirs = librosa_vqt(
        waveform,
        sr=sample_rate,
        fmin=f_min,
        n_bins=n_bins,
        bins_per_octave=bins_per_octave,
        hop_length=hop_length,
        **{"gamma": 0, **kwargs},
    )
    if "gamma" in kwargs and kwargs["gamma"] is None:
        kwargs = {"gamma": "erb"}
    bank = librosa_constant_q_bank(sample_rate, f_min, n_bins, bins_per_octave, hop_length, **kwargs)
    assert distance(theirs, slide(waveform, bank, hop_length)) < bound


def test_librosas_defaults_cost_it_two_per_cent() -> None:
    waveform = noise_amid_silence(22050, 1.0, 0.7)
    band: dict[str, Any] = {"n_bins": 60, "bins_per_octave": 12}
    theirs = librosa_vqt(waveform, sparsity=0.01, sr=22050, fmin=65.406, hop_length=512, gamma=0, **band)
    exact = slide(waveform, constant_q_bank(22050, 65.406, **band), 512)
    followed = slide(waveform, librosa_constant_q_bank(22050, 65.406, hop_length=512, **band), 512)
    assert 1e-2 < distance(theirs, exact) < 3e-2
    assert distance(theirs, followed) < 1.2e-2  # its sparsity alone


@pytest.mark.parametrize("gain", ["librosa", "convolutional", "wrap"])
@pytest.mark.parametrize(
    ("bins_per_octave", "kwargs"), [(12, {}), (24, {"norm": 2, "filter_scale": 0.7}), (12, {"window": "blackman"})]
)
def test_nnaudios_bank_is_cqt1992v2(bins_per_octave: int, kwargs: dict[str, Any], gain: Any) -> None:
    import torch
    from nnAudio.features import CQT1992v2

    waveform = np.random.default_rng(2).standard_normal(20000)
    layer = CQT1992v2(
        sr=22050,
        hop_length=500,
        fmin=110,
        n_bins=48,
        bins_per_octave=bins_per_octave,
        pad_mode="constant",
        output_format="Complex",
        verbose=False,
        **kwargs,
    )
    theirs = layer(torch.tensor(waveform, dtype=torch.float32)[None], normalization_type=gain)[0]
    bank = nnaudio_constant_q_bank(22050, 110, 48, bins_per_octave, gain=gain, **kwargs)
    assert distance(torch.view_as_complex(theirs.contiguous()).numpy(), slide(waveform, bank, 500)) < 1e-5


@pytest.mark.parametrize("gamma", [0.0, 20.0])
def test_nnaudios_bank_is_the_top_octave_of_its_vqt(gamma: float) -> None:
    import torch
    from nnAudio.features import VQT

    waveform = np.random.default_rng(3).standard_normal(20000)
    layer = VQT(
        sr=22050,
        hop_length=512,
        fmin=440,
        n_bins=24,
        gamma=gamma,
        pad_mode="constant",
        earlydownsample=False,
        output_format="Complex",
        verbose=False,
    )
    theirs = torch.view_as_complex(layer(torch.tensor(waveform, dtype=torch.float32)[None])[0].contiguous()).numpy()
    ours = slide(waveform, nnaudio_constant_q_bank(22050, 440, 24, 12, gamma=gamma), 512)
    assert distance(theirs[12:], ours[12:]) < 2e-6
    assert distance(theirs[:12], ours[:12]) > 0.05  # its halved rates delay and alias


def test_nnaudios_bank_with_the_ears_bandwidths() -> None:
    """alpha f + gamma in proportion to 24.7 + 0.108 f, with nnAudio's alpha."""
    gamma = (2 ** (1 / 12) - 1) * 24.7 / 0.108
    by_name, by_number = (nnaudio_constant_q_bank(22050, 110, 48, 12, gamma=g) for g in ("erb", gamma))
    np.testing.assert_array_equal(by_name.lengths, by_number.lengths)
    np.testing.assert_allclose(by_name.gains, by_number.gains)
