from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from specconv.audio import Resampler, resampler
from specconv.errors import ParameterError

COMMON = [(44100, 16000), (48000, 16000), (16000, 44100), (8000, 16000), (22050, 16000), (44100, 48000)]
ODD = [(44056, 16000), (44101, 44100), (7, 5), (1, 1000), (9973, 100), (16000, 15999), (44099, 16001)]
RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000, 192000]
TORCHAUDIO = {
    "lowpass_filter_width": 36,
    "rolloff": 0.97,
    "resampling_method": "sinc_interp_kaiser",
    "beta": 9.0,
}


def noise(n: int) -> torch.Tensor:
    return torch.rand(n, generator=torch.Generator().manual_seed(n)) * 2 - 1


def tones(frequencies: np.ndarray, rate: int, n: int) -> torch.Tensor:
    """Cosines of full scale, one after the other, each of ``n`` samples."""
    waves = np.cos(2 * np.pi * frequencies[:, None] * np.arange(n) / rate)
    return torch.from_numpy(waves.astype(np.float32))


def levels(frequencies: np.ndarray, from_rate: int, to_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """In dB: each tone's level in the output at its own frequency, and the RMS of all else there."""
    n = 40 * 36 * from_rate // min(from_rate, to_rate) + 2000
    gains, others = [], []
    for frequency, wave in zip(frequencies, tones(frequencies, from_rate, n), strict=True):
        out = resampler(from_rate, to_rate)(wave).double().numpy()
        edge = 50 * to_rate // min(from_rate, to_rate)
        out, time = out[edge:-edge], np.arange(edge, len(out) - edge) / to_rate
        basis = np.stack([np.cos(2 * np.pi * frequency * time), np.sin(2 * np.pi * frequency * time)], axis=1)
        parts = np.linalg.lstsq(basis, out, rcond=None)[0]
        gains.append(np.hypot(*parts))
        others.append(np.sqrt(2 * np.mean((out - basis @ parts) ** 2)))
    return 20 * np.log10(np.array(gains) + 1e-12), 20 * np.log10(np.array(others) + 1e-12)


def definition(waveform: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """The docstring's sum, term by term in float64."""
    cut = 0.97 * min(from_rate, to_rate)
    i, j = np.arange(len(waveform)), np.arange(math.ceil(len(waveform) * to_rate / from_rate))
    crossings = cut * (i[None] / from_rate - j[:, None] / to_rate)
    within = np.clip(1 - (crossings / 36) ** 2, 0, None)
    window = np.where(within > 0, np.i0(9 * np.sqrt(within)) / np.i0(9), 0)
    return (np.sinc(crossings) * window * cut / from_rate) @ waveform


@pytest.mark.parametrize(("from_rate", "to_rate"), COMMON + ODD)
def test_it_is_the_definition(from_rate: int, to_rate: int) -> None:
    waveform = noise(min(800, 20 + 40 * from_rate))
    if to_rate > from_rate * 100:
        waveform = waveform[:10]
    expected = definition(waveform.double().numpy(), from_rate, to_rate)
    np.testing.assert_allclose(resampler(from_rate, to_rate)(waveform), expected, rtol=0, atol=1e-6)


@pytest.mark.parity
@pytest.mark.parametrize(("from_rate", "to_rate"), [*COMMON, (44056, 16000), (7, 5)])
def test_it_is_torchaudio_with_these_parameters(from_rate: int, to_rate: int) -> None:
    waveform = noise(50_001)
    ours = resampler(from_rate, to_rate)(waveform)
    exact = torchaudio.functional.resample(waveform.double(), from_rate, to_rate, **TORCHAUDIO)
    assert ours.shape == exact.shape
    torch.testing.assert_close(ours.double(), exact, rtol=0, atol=2e-6)
    single = torchaudio.functional.resample(waveform, from_rate, to_rate, **TORCHAUDIO)
    torch.testing.assert_close(ours, single, rtol=0, atol=2e-4)  # its phases are float32


PAIRS = [(a, b) for a in RATES for b in RATES if a != b] + [(44056, 16000), (44099, 16001), (16001, 44099)]


@pytest.mark.parametrize(("from_rate", "to_rate"), PAIRS)
def test_the_passband_is_flat_and_has_no_images(from_rate: int, to_rate: int) -> None:
    nyquist = min(from_rate, to_rate) / 2
    gains, others = levels(np.array([0.013, 0.31, 0.62, 0.85, 0.9]) * nyquist, from_rate, to_rate)
    assert abs(gains).max() < 0.02
    assert others.max() < -85


@pytest.mark.parametrize(("from_rate", "to_rate"), [(a, b) for a, b in PAIRS if a > 1.06 * b])
def test_nothing_above_the_new_nyquist_frequency_folds_back(from_rate: int, to_rate: int) -> None:
    highest = min(from_rate / to_rate, 4) * 0.999
    tried = np.array([1.05, 1.06, 1.08, 1.13, 1.5, 1.97, 2.6, 3.1])
    nyquist = to_rate / 2
    for wave in tones(
        np.append(tried[tried < highest], highest) * nyquist, from_rate, 200 * from_rate // to_rate + 900
    ):
        out = resampler(from_rate, to_rate)(wave)[45:-45].double()
        assert 10 * torch.log10(2 * out.square().mean() + 1e-14) < -86


@pytest.mark.parity
@pytest.mark.parametrize(("from_rate", "to_rate"), [(44100, 16000), (48000, 16000), (16000, 44100), (44100, 48000)])
@pytest.mark.parametrize("quality", ["HQ", "VHQ"])
def test_in_the_passband_it_is_soxr(from_rate: int, to_rate: int, quality: str) -> None:
    soxr = pytest.importorskip("soxr")
    spectrum = torch.fft.rfft(noise(3 * from_rate).double())
    spectrum[int(0.9 * len(spectrum) * min(1, to_rate / from_rate)) :] = 0
    waveform = torch.fft.irfft(spectrum).float()
    theirs = torch.from_numpy(soxr.resample(waveform.numpy(), from_rate, to_rate, quality=quality))
    ours = resampler(from_rate, to_rate)(waveform)
    inner = slice(1000, -1000)
    error = (ours[inner] - theirs[inner]).double().square().mean() / theirs[inner].double().square().mean()
    assert 10 * math.log10(error) < -70  # the passband's 0.007 dB are -62 dB at its very end, and less below


@pytest.mark.parametrize(("from_rate", "to_rate"), COMMON[:5])
def test_a_tone_keeps_its_frequency_level_and_phase(from_rate: int, to_rate: int) -> None:
    frequency = 0.2 * min(from_rate, to_rate)
    waveform = torch.sin(2 * math.pi * frequency * torch.arange(from_rate, dtype=torch.float64) / from_rate)
    out = resampler(from_rate, to_rate)(waveform.float())
    expected = torch.sin(2 * math.pi * frequency * torch.arange(to_rate, dtype=torch.float64) / to_rate)
    inner = slice(200, -200)
    torch.testing.assert_close(out[inner].double(), expected[inner], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("from_rate", "to_rate"), [*COMMON[:4], (44099, 16001)])
def test_the_number_of_threads_changes_no_digit(from_rate: int, to_rate: int) -> None:
    waveform, before = noise(300_001), torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(resampler(from_rate, to_rate)(waveform))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(result, results[0]) for result in results)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([*COMMON[:4], *ODD[:3], ODD[-1], (48000, 48048)]),
    st.integers(1, 90_000),
    st.lists(st.integers(1, 40_000), min_size=1, max_size=5),
)
def test_blocks_give_the_same_bits(rates: tuple[int, int], n: int, sizes: list[int]) -> None:
    change, waveform = resampler(*rates), noise(n)
    edges = [0, *np.cumsum(sizes).clip(max=n).tolist(), n]
    blocks = [waveform[a:b] for a, b in pairwise(edges)]
    whole = change(waveform)
    assert len(whole) == change.length(n)
    assert torch.equal(torch.cat(list(change.blocks(blocks))), whole)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(COMMON + ODD[:4]), st.integers(1, 50_000))
def test_needed_samples_make_the_first_final(rates: tuple[int, int], n_out: int) -> None:
    change = resampler(*rates)
    needed = change.needed(n_out)
    waveform = noise(needed + 1000)
    assert torch.equal(change(waveform[:needed])[:n_out], change(waveform)[:n_out])


def test_length_is_exact_where_floats_are_not() -> None:
    change = resampler(44100, 16000)
    for n in (1, 441, 442, 476_280_001, 10**15 + 1):
        assert change.length(n) == -(-n * 160 // 441)


def test_weights_are_kept_for_the_reduced_rates() -> None:
    assert resampler(44100, 22050) is resampler(88200, 44100)


def test_coprime_rates_need_little_memory() -> None:
    for up, down in [(22051, 44100), (16001, 44099), (44099, 16001)]:
        change = Resampler(up, down)
        assert sum(weights.numel() for _, weights in change._groups) < 6_000_000  # and 973 million in full
        assert change._reach < 500_000


def test_threads_share_a_resampler() -> None:
    change, waveform = resampler(44100, 16000), noise(44100)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: change(waveform), range(16)))
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.parametrize(
    ("from_rate", "to_rate", "reason"),
    [
        (1, 16000, "factor of more than 1024"),
        (768_000, 1, "factor of more than 1024"),
        (2**31 - 1, 2**31 - 3, "filter weights, at most 33554432"),
        (0, 16000, "at least 1 Hz"),
    ],
)
def test_absurd_rates_are_refused(from_rate: int, to_rate: int, reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        resampler(from_rate, to_rate)
