"""A product's digits are those of its columns, whatever stands beside them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specconv.engines.product import product
from specconv.transforms import build_transform


@given(st.integers(1, 40), st.integers(1, 300), st.integers(1, 5), st.integers(1, 130), st.data())
@settings(max_examples=40, deadline=None)
def test_columns_are_computed_alone(n_out: int, n_in: int, clips: int, frames: int, data: st.DataObject) -> None:
    generator = torch.Generator().manual_seed(0)
    weights, values = torch.rand(n_out, n_in, generator=generator), torch.rand(clips, n_in, frames, generator=generator)
    whole = product(weights, values)
    torch.testing.assert_close(whole, torch.matmul(weights, values), rtol=1e-5, atol=1e-5)
    start = data.draw(st.integers(0, frames - 1))
    stop = data.draw(st.integers(start + 1, frames))
    for i in range(clips):
        assert torch.equal(product(weights, values[i : i + 1, :, start:stop])[0], whole[i, :, start:stop])


@pytest.mark.parametrize(
    "given",
    [
        {"type": "stft", "scale": "complex"},
        {"type": "stft", "freq_scale": "log"},
        {"type": "mel", "n_mels": 128},
        {"type": "mel", "n_mels": 16},
        {"type": "mel", "n_mels": 64, "then": [{"layer": "filterbank", "n_filters": 9, "init": "random"}]},
        {"type": "mfcc"},
        {"type": "gammatonegram"},
    ],
    ids=lambda given: "-".join(map(str, given.values())),
)
def test_a_clips_digits_do_not_depend_on_its_neighbours(given: dict[str, object]) -> None:
    transform = build_transform({"n_fft": 512, **given}, 16000)
    generator = torch.Generator().manual_seed(0)
    for lengths in ([8000, 9000, 7999, 16000], [300, 8000], [30000, 257, 1000], [5001]):
        waveforms = torch.zeros(len(lengths), max(lengths))
        for waveform, n in zip(waveforms, lengths, strict=True):
            waveform[:n] = torch.randn(n, generator=generator)
        together = transform(waveforms, lengths)
        for specgram, waveform, n in zip(together, waveforms, lengths, strict=True):
            alone = transform(waveform[:n])
            assert torch.equal(specgram[:, : alone.shape[1]], alone)
