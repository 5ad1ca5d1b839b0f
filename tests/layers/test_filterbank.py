from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
import torchaudio
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import nn

from specconv.errors import ParameterError, SpecconvWarning
from specconv.layers.base import SpecgramInfo
from specconv.layers.filterbank import Filterbank, FilterbankParameters, Init


def stft_source(n_fft: int = 2048, sample_rate: float = 22050.0) -> SpecgramInfo:
    n_bins = n_fft // 2 + 1
    return SpecgramInfo(n_bins, sample_rate, 512, np.arange(n_bins) * sample_rate / n_fft, "power")


def weights(source: SpecgramInfo, **given: object) -> NDArray[np.float32]:
    layer = FilterbankParameters.model_validate(given).build(source)
    assert isinstance(layer, Filterbank)
    return layer.weights.detach().numpy()


def kapre_filterbank_log(
    sample_rate: float, n_freq: int, n_bins: int, bins_per_octave: int, f_min: float
) -> NDArray[np.float64]:
    """As Kapre 0.1.7 and 0.3.7 write it, float64."""
    sigma = 0.125 / bins_per_octave
    log_freqs = np.log2(np.fft.rfftfreq(2 * (n_freq - 1), 1 / sample_rate)[1:])
    basis = np.zeros((n_bins, n_freq))
    for i in range(n_bins):
        center = f_min * 2.0 ** (i / bins_per_octave)
        basis[i, 1:] = np.exp(-0.5 * ((log_freqs - np.log2(center)) / sigma) ** 2 - np.log2(sigma) - log_freqs)
    return np.asarray(librosa.util.normalize(basis, norm=1, axis=1))


def test_it_is_a_weighted_sum_of_bins() -> None:
    rng = np.random.default_rng(0)
    matrix, x = rng.standard_normal((3, 5)), rng.standard_normal((2, 4, 5, 7))
    layer = Filterbank(matrix).double()
    layer.weights.copy_(torch.tensor(matrix))
    expected = np.einsum("mk,bckt->bcmt", matrix, x)
    np.testing.assert_allclose(layer(torch.tensor(x)), expected, atol=1e-13)
    np.testing.assert_allclose(layer(torch.tensor(x[:, 0])), expected[:, 0], atol=1e-13)


@pytest.mark.parity
@pytest.mark.parametrize("n_fft", [1024, 2048])
def test_parity_librosa_and_kapre_mel(n_fft: int) -> None:
    """Kapre's mel is librosa's: slaney's scale and area."""
    source = stft_source(n_fft)
    theirs = librosa.filters.mel(sr=22050, n_fft=n_fft, n_mels=40, fmin=50.0, fmax=8000.0)
    np.testing.assert_allclose(weights(source, n_filters=40, f_min=50.0, f_max=8000.0), theirs, atol=1e-8)


@pytest.mark.parity
def test_parity_kapre_log() -> None:
    """84 filters, 12 an octave; the ones that Kapre leaves empty between two low bins differ, as stated."""
    source = stft_source(2048)
    f_min = 32.70319566
    theirs = kapre_filterbank_log(22050.0, 1025, 84, 12, f_min)
    ours = weights(source, n_filters=84, init="log", f_min=f_min, f_max=f_min * 2 ** (83 / 12))
    filled = theirs.sum(axis=1) > 0.5
    assert filled.sum() > 60
    np.testing.assert_allclose(ours[filled], theirs[filled], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(ours.sum(axis=1), 1.0, rtol=1e-5)


@pytest.mark.parity
def test_parity_torchaudio_linear() -> None:
    source = stft_source(512, 16000.0)
    theirs = torchaudio.functional.linear_fbanks(257, 100.0, 7000.0, 20, 16000).T
    np.testing.assert_allclose(
        weights(source, n_filters=20, init="linear", f_min=100.0, f_max=7000.0), theirs, atol=2e-6
    )


def test_linear_triangles_add_to_one_between_the_outer_centres() -> None:
    source = stft_source(512, 16000.0)
    given = {"n_filters": 20, "init": "linear"}
    centers = FilterbankParameters.model_validate(given).output(source).center_frequencies
    inner = (source.center_frequencies >= centers[0]) & (source.center_frequencies <= centers[-1])
    np.testing.assert_allclose(weights(source, **given).sum(axis=0)[inner], 1.0, rtol=1e-5)


@pytest.mark.parametrize("init", ["mel", "log", "linear"])
def test_a_tone_sounds_in_the_filter_of_its_frequency(init: Init) -> None:
    source = stft_source(4096)
    parameters = FilterbankParameters(n_filters=30, init=init, f_min=200.0, f_max=8000.0)
    layer, centers = parameters.build(source), parameters.output(source).center_frequencies
    assert (np.diff(centers) > 0).all()
    for m, center in enumerate(centers):
        tone = torch.zeros(1, source.n_bins, 1)
        tone[0, np.abs(source.center_frequencies - center).argmin()] = 1.0
        assert layer(tone)[0, :, 0].argmax() == m


def test_random_filters_average_and_repeat() -> None:
    source = stft_source(1024)
    first = weights(source, n_filters=64, init="random", seed=1)
    assert first.min() >= 0
    assert first.max() <= 2 / source.n_bins
    np.testing.assert_allclose(first.sum(axis=1), 1.0, atol=0.15)
    np.testing.assert_array_equal(first, weights(source, n_filters=64, init="random", seed=1))
    assert not np.array_equal(first, weights(source, n_filters=64, init="random", seed=2))


def test_log_and_random_take_any_bins() -> None:
    cqt = SpecgramInfo(84, 22050.0, 512, 32.7 * 2 ** (np.arange(84) / 12), "magnitude")
    assert weights(cqt, n_filters=12, init="log").shape == (12, 84)
    assert weights(cqt, n_filters=12, init="linear").shape == (12, 84)
    mfcc = SpecgramInfo(20, 22050.0, 512, np.full(20, np.nan))
    assert weights(mfcc, n_filters=12, init="random").shape == (12, 20)


def test_an_odd_transform_length_keeps_its_own_bins() -> None:
    source = stft_source(1001, 16000.0)
    theirs = librosa.filters.mel(sr=16000, n_fft=1001, n_mels=20, fmax=float(source.center_frequencies[-1]))
    np.testing.assert_allclose(weights(source, n_filters=20), theirs, atol=1e-8)


@pytest.mark.parametrize("trainable", [False, True])
def test_only_trainable_weights_are_parameters(trainable: bool) -> None:
    layer = FilterbankParameters(n_filters=8, trainable=trainable).build(stft_source(512))
    assert len(list(layer.parameters())) == trainable
    assert list(layer.state_dict()) == ["weights"]


def test_it_learns_the_filters_of_another() -> None:
    """From random weights to the mel filters that made the targets."""
    source = stft_source(64, 16000.0)
    target = FilterbankParameters(n_filters=6).build(source)
    student = FilterbankParameters(n_filters=6, init="random", trainable=True).build(source)
    torch.manual_seed(0)
    powers = torch.randn(16, source.n_bins, 50).square()
    wanted = target(powers)
    scale = wanted.square().mean()
    optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)

    def loss() -> torch.Tensor:
        return nn.functional.mse_loss(student(powers), wanted) / scale

    before = loss().item()
    for _ in range(400):
        optimizer.zero_grad()
        step = loss()
        step.backward()
        optimizer.step()
    assert before > 1.0
    assert loss().item() < 1e-4
    assert isinstance(student, Filterbank)
    assert isinstance(target, Filterbank)
    torch.testing.assert_close(student.weights.detach(), target.weights, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("given", "faults"),
    [
        ({"n_filters": 34}, ["n_filters: 34 is more than the 33 bins"]),
        ({"n_filters": 8, "f_max": 9000.0}, ["f_max: 9000 Hz is above half the sample rate, 8000 Hz"]),
        ({"n_filters": 8, "f_min": 5000.0, "f_max": 4000.0}, ["f_min: 5000 Hz is not below f_max, 4000 Hz"]),
        ({"n_filters": 8, "init": "log", "f_min": 0.0}, ["f_min: 0 Hz has no logarithm"]),
        ({"n_filters": 40, "f_max": 9000.0}, ["n_filters: 40", "f_max: 9000"]),
    ],
)
def test_faults_are_named_all_at_once(given: dict[str, object], faults: list[str]) -> None:
    with pytest.raises(ParameterError) as raised:
        FilterbankParameters.model_validate(given).build(stft_source(64, 16000.0))
    assert len(raised.value.faults) == len(faults)
    for fault, found in zip(faults, raised.value.faults, strict=True):
        assert str(found).startswith(fault)


@pytest.mark.parametrize("init", ["mel", "log", "linear"])
def test_bins_without_frequencies_are_a_fault(init: Init) -> None:
    mfcc = SpecgramInfo(20, 22050.0, 512, np.full(20, np.nan))
    with pytest.raises(ParameterError, match=r"init: .* use random"):
        FilterbankParameters(n_filters=8, init=init).build(mfcc)


@pytest.mark.parametrize(
    "frequencies", [100.0 * np.arange(1, 21), 32.7 * 2 ** (np.arange(20) / 12), 100.0 * np.arange(20)]
)
def test_mel_needs_the_bins_of_a_fourier_transform(frequencies: NDArray[np.float64]) -> None:
    with pytest.raises(ParameterError, match="init: mel needs all bins"):
        FilterbankParameters(n_filters=8).build(SpecgramInfo(20, 16000.0, 512, frequencies))


def test_filters_between_the_bins_are_warned_of() -> None:
    with pytest.warns(SpecconvWarning, match="of 60 linear filters hold no bin"):
        FilterbankParameters(n_filters=60, init="linear", f_min=1000, f_max=1500).build(stft_source(512, 16000.0))
    with pytest.warns(SpecconvWarning, match="mel filters hold no bin"):
        FilterbankParameters(n_filters=200).build(stft_source(512, 16000.0))


def test_a_band_means_nothing_to_random_filters() -> None:
    with pytest.raises(ValidationError, match="f_min and f_max mean nothing to random"):
        FilterbankParameters(n_filters=8, init="random", f_min=100.0)


@pytest.mark.parametrize("wrong", [{"n_filters": 0}, {"init": "bark"}, {"f_min": -1}, {"f_max": 0}])
def test_impossible_values_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        FilterbankParameters.model_validate({"n_filters": 8, **wrong})
