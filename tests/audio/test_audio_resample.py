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
ODD = [(44056, 16000), (44101, 44100), (7, 5), (1, 1000), (9973, 100), (16000, 15999)]


def noise(n: int) -> torch.Tensor:
    return torch.rand(n, generator=torch.Generator().manual_seed(n)) * 2 - 1


def definition(waveform: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """The docstring's sum, term by term in float64."""
    cut = 0.99 * min(from_rate, to_rate)
    i, j = np.arange(len(waveform)), np.arange(math.ceil(len(waveform) * to_rate / from_rate))
    crossings = cut * (i[None] / from_rate - j[:, None] / to_rate)
    window = np.where(abs(crossings) < 6, np.cos(np.pi * crossings / 12) ** 2, 0)
    return (np.sinc(crossings) * window * cut / from_rate) @ waveform


@pytest.mark.parametrize(("from_rate", "to_rate"), COMMON + ODD)
def test_it_is_the_definition(from_rate: int, to_rate: int) -> None:
    waveform = noise(min(500, 20 + 40 * from_rate))
    if to_rate > from_rate * 100:
        waveform = waveform[:10]
    expected = definition(waveform.double().numpy(), from_rate, to_rate)
    np.testing.assert_allclose(resampler(from_rate, to_rate)(waveform), expected, rtol=0, atol=1e-6)


@pytest.mark.parity
@pytest.mark.parametrize(("from_rate", "to_rate"), [*COMMON, (44056, 16000), (7, 5)])
def test_it_is_torchaudio(from_rate: int, to_rate: int) -> None:
    waveform = noise(50_001)
    ours = resampler(from_rate, to_rate)(waveform)
    exact = torchaudio.functional.resample(waveform.double(), from_rate, to_rate)
    assert ours.shape == exact.shape
    torch.testing.assert_close(ours.double(), exact, rtol=0, atol=1e-6)
    single = torchaudio.functional.resample(waveform, from_rate, to_rate)
    torch.testing.assert_close(ours, single, rtol=0, atol=2e-4)  # its phases are float32


@pytest.mark.parametrize(("from_rate", "to_rate"), COMMON[:5])
def test_a_tone_keeps_its_frequency_level_and_phase(from_rate: int, to_rate: int) -> None:
    frequency = 0.2 * min(from_rate, to_rate)
    waveform = torch.sin(2 * math.pi * frequency * torch.arange(from_rate, dtype=torch.float64) / from_rate)
    out = resampler(from_rate, to_rate)(waveform.float())
    expected = torch.sin(2 * math.pi * frequency * torch.arange(to_rate, dtype=torch.float64) / to_rate)
    inner = slice(100, -100)
    torch.testing.assert_close(out[inner].double(), expected[inner], rtol=0, atol=3e-3)


@pytest.mark.parametrize(("from_rate", "to_rate"), [(44100, 16000), (48000, 8000), (44056, 16000)])
def test_a_tone_above_the_new_nyquist_vanishes(from_rate: int, to_rate: int) -> None:
    frequency = 0.65 * to_rate
    waveform = torch.sin(2 * math.pi * frequency * torch.arange(from_rate) / from_rate)
    assert resampler(from_rate, to_rate)(waveform)[100:-100].abs().max() < 1e-2


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([*COMMON[:4], *ODD[:3], (48000, 48048)]),
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
    change = Resampler(22051, 44100)
    assert change._weights.numel() < 2_000_000  # and 973 million in full


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
        (2**31 - 1, 2**31 - 3, "filter weights, at most 16777216"),
        (0, 16000, "at least 1 Hz"),
    ],
)
def test_absurd_rates_are_refused(from_rate: int, to_rate: int, reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        resampler(from_rate, to_rate)
