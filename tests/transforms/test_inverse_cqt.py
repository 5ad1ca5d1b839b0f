from __future__ import annotations

import warnings
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from specconv.errors import ParameterError, SpecconvWarning
from specconv.transforms import InverseCqt, Transform, build_inverse, build_transform

SAMPLE_RATE = 11025
N_SAMPLES = 16384


def constant_q(**given: Any) -> Transform:
    """Five octaves, 65 … 2000 Hz: bins at most 111 Hz apart, so hops to 97 samples are enough."""
    bins = {"n_bins": 60, "bins_per_octave": 12, "f_min": 65.4, "hop_length": 64}
    return build_transform({"type": "cqt", "scale": "complex", **bins, **given}, SAMPLE_RATE)


def noise(lowest: float = 0.0, highest: float = SAMPLE_RATE, seed: int = 0, batch: int = 1) -> Tensor:
    """White between two frequencies, faded in and out."""
    waveforms = torch.randn(batch, N_SAMPLES, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    ramp = torch.sin(torch.linspace(0, torch.pi / 2, 2048, dtype=torch.float64)) ** 2
    faded = torch.cat([ramp, torch.ones(N_SAMPLES - 4096), ramp.flip(0)])
    return band(waveforms, lowest, highest) * faded


def band(waveforms: Tensor, lowest: float, highest: float) -> Tensor:
    spectrum = torch.fft.rfft(waveforms.double())
    frequencies = torch.fft.rfftfreq(waveforms.shape[-1], 1 / SAMPLE_RATE)
    return torch.fft.irfft(spectrum * ((frequencies >= lowest) & (frequencies <= highest)), waveforms.shape[-1])


def inner(transform: Transform) -> tuple[float, float]:
    """The band of the bins but for two semitones at each end."""
    lowest, highest = transform.center_frequencies[[0, -1]]
    return float(lowest * 2 ** (1 / 6)), float(highest / 2 ** (1 / 6))


def snr(waveforms: Tensor, found: Tensor) -> float:
    """dB"""
    return float(10 * torch.log10(waveforms.square().sum() / (waveforms - found).square().sum()))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ("given", "within", "white"),
    [
        ({"hop_length": 32}, 95, 65),  # measured: 107 and 73 dB
        ({}, 85, 55),  # 95 and 59 dB
        ({"hop_length": 80}, 65, 45),  # 74 and 51 dB
        ({"hop_length": 97}, 45, 36),  # the bound: 55 and 42 dB
        ({"engine": "conv1d"}, 85, 55),
        ({"pad_mode": "reflect"}, 85, 48),
        ({"bins_per_octave": 24, "n_bins": 120, "hop_length": 128}, 85, 60),
        ({"gain": "length", "norm": 2, "filter_scale": 2.0}, 80, 65),
        ({"parity": "librosa"}, 85, 55),
        ({"parity": "nnaudio"}, 85, 48),
        ({"type": "vqt"}, 80, 50),
        ({"type": "vqt", "gamma": 30.0}, 70, 45),
    ],
    ids=str,
)
def test_what_lies_in_the_band_comes_back(
    given: dict[str, Any], within: float, white: float, dtype: torch.dtype
) -> None:
    transform = constant_q(**given)
    inverse = build_inverse(transform)
    waveform = noise(*inner(transform))
    back = inverse(transform(waveform.to(dtype)), N_SAMPLES)
    assert back.dtype == dtype
    assert snr(band(waveform, *inner(transform)), band(back, *inner(transform))) > within
    # And what lies beyond it does no harm within.
    waveform = noise()
    back = inverse(transform(waveform.to(dtype)), N_SAMPLES)
    assert snr(band(waveform, *inner(transform)), band(back, *inner(transform))) > white


def test_nothing_is_invented_beyond_the_band() -> None:
    transform = constant_q()
    waveform = noise()
    back = build_inverse(transform)(transform(waveform), N_SAMPLES)
    assert band(back, 2300, SAMPLE_RATE).square().mean() < 1e-3 * waveform.square().mean()


def test_the_adjoint_is_the_adjoint() -> None:
    inverse = InverseCqt(constant_q())
    waveforms = noise(batch=2)
    coefficients = inverse._weighted(noise(seed=1, batch=2)) * 1j
    transposed = inverse._adjoint(coefficients, N_SAMPLES)(coefficients)
    seen = (inverse._weighted(waveforms).conj() * coefficients).real.sum()
    torch.testing.assert_close((waveforms * transposed).sum(), seen, rtol=1e-9, atol=1e-9)


def test_the_response_is_the_operators() -> None:
    """A sinusoid, through the bank and back, is multiplied by S(f) where the frame rate exceeds the bandwidths."""
    # The first bins of the second bank hear negative frequencies too.
    for transform, hertz in product(
        (constant_q(hop_length=8), constant_q(type="vqt", gamma=100.0, hop_length=8)), (70.0, 200.0, 441.0, 1230.0)
    ):
        inverse, n = InverseCqt(transform), 8192
        tone = torch.cos(2 * torch.pi * hertz / SAMPLE_RATE * torch.arange(n, dtype=torch.float64))[None]
        back = inverse._adjoint(inverse._weighted(tone), n)(inverse._weighted(tone))
        middle = slice(3 * n // 8, 5 * n // 8)
        at = hertz / SAMPLE_RATE * 2 * (len(inverse._response) - 1)
        expected = np.interp(at, np.arange(len(inverse._response)), inverse._response) / 2
        assert float((back[:, middle] * tone[:, middle]).sum() / tone[:, middle].square().sum()) == pytest.approx(
            expected, rel=5e-3
        )


def test_a_hop_that_is_too_long_is_said() -> None:
    """Whoever asks for too many samples is told so, and told the bound; who keeps to it is not."""
    for given in ({}, {"bins_per_octave": 24, "n_bins": 120}, {"type": "vqt", "gamma": 60.0}, {"filter_scale": 0.5}):
        with pytest.warns(
            SpecconvWarning, match=r"hop_length 512 .* too few for bins from \d+ on.* bandwidth"
        ) as caught:
            inverse = InverseCqt(constant_q(hop_length=512, **given))
        assert caught[0].filename == __file__
        bank = inverse.transform.parameters_given.bank(SAMPLE_RATE)
        widest = max(np.diff(bank.center_frequencies).max(), SAMPLE_RATE / bank.lengths.min())
        bound = int(str(caught[0].message).rpartition("at most ")[2].split()[0])
        assert bound == int(SAMPLE_RATE / widest)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            InverseCqt(constant_q(hop_length=bound, **given))
        with pytest.warns(SpecconvWarning):
            InverseCqt(constant_q(hop_length=bound + 1, **given))
        assert inverse(inverse.transform(noise()), N_SAMPLES).isfinite().all()


def test_only_what_the_warning_names_is_lost() -> None:
    transform = constant_q(hop_length=256)
    with pytest.warns(SpecconvWarning, match=r"bins from 43 on: at 783.\d+ Hz they stand 45.\d+ Hz apart"):
        inverse = InverseCqt(transform)
    waveform = noise(80, 600)
    assert snr(waveform, inverse(transform(waveform), N_SAMPLES)) > 30
    waveform = noise(900, 1800)
    assert snr(waveform, inverse(transform(waveform), N_SAMPLES)) < 15


def test_gaps_between_the_kernels_are_said() -> None:
    with pytest.warns(SpecconvWarning, match=r"leave gaps: at .* Hz bins stand .* Hz apart with a bandwidth"):
        InverseCqt(constant_q(filter_scale=5.0))


def test_a_length_that_is_not_given() -> None:
    transform = constant_q()
    inverse = build_inverse(transform)
    waveform = noise(*inner(transform))[:, 3000 : 3000 + 64 * 120 + 40]  # ends abruptly, between two frames
    back = inverse(transform(waveform))
    assert back.shape == (1, 64 * 120)
    lowest, highest = inner(transform)
    assert (
        snr(band(waveform[:, : 64 * 120], lowest, highest), band(back, lowest, highest)) > 65
    )  # 78; 44 for the shortest clip
    with pytest.raises(ParameterError, match=r"it must be 7680 … 7743"):
        inverse(transform(waveform), 8000)


def test_a_clip_knows_nothing_of_its_neighbours() -> None:
    transform = constant_q()
    inverse = build_inverse(transform)
    waveforms = torch.cat([noise(), torch.zeros(1, N_SAMPLES), 1e-3 * noise(300, 320), noise(seed=5)])
    coefficients = transform(waveforms)
    together = inverse(coefficients, N_SAMPLES)
    assert not together[1].any()
    for row, alone in zip(together, coefficients, strict=True):
        torch.testing.assert_close(row, inverse(alone, N_SAMPLES), rtol=0, atol=1e-9)


def test_what_is_not_a_number_stays_none() -> None:
    transform = constant_q()
    coefficients = transform(noise(batch=2))
    coefficients[0, 3, 5] = torch.nan
    inverse = InverseCqt(transform, iterations=3)
    back = inverse(coefficients)
    assert back[0].isnan().any()
    assert back[1].isfinite().all()
    assert inverse(coefficients[0]).isnan().any()


def test_it_works_without_gradients_and_leaves_none() -> None:
    transform = constant_q()
    inverse = InverseCqt(transform, iterations=3)
    coefficients = transform(noise())
    expected = inverse(coefficients)
    assert not expected.requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(inverse(transform(noise())), expected)
    trained = constant_q(n_bins=24, f_min=400.0)
    trainable = build_transform(trained.parameters_given, SAMPLE_RATE, trainable=True)
    assert InverseCqt(trainable, iterations=3)(trained(noise())).isfinite().all()


@pytest.mark.parametrize(("change", "key"), [({"iterations": 0}, "iterations"), ({"tolerance": 1.0}, "tolerance")])
def test_impossible_settings_are_refused(change: dict[str, Any], key: str) -> None:
    with pytest.raises(ParameterError) as caught:
        InverseCqt(constant_q(), **change)
    assert [fault.key for fault in caught.value.faults] == [key]


def test_magnitudes_have_no_inverse() -> None:
    with pytest.raises(ParameterError, match="cqt with scale magnitude has no inverse"):
        build_inverse(constant_q(scale="magnitude"))
