"""What a clip shows beyond its ends, against numpy's pad."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bank_definition import NUMPY_MODES
from hypothesis import given
from hypothesis import strategies as st

from specconv.engines.padding import Padded, PadMode
from specconv.errors import ParameterError

MODES = list(NUMPY_MODES)


def expected(clip: torch.Tensor, start: int, stop: int, mode: str) -> np.ndarray:  # type: ignore[type-arg]
    margin = max(0, -start, stop - len(clip))
    padded = np.pad(clip.numpy(), margin, mode=NUMPY_MODES[mode])  # type: ignore[call-overload]
    return padded[margin + start : margin + stop]


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=4),
    st.integers(-90, 60),
    st.integers(1, 90),
    st.sampled_from(MODES),
)
def test_any_stretch_of_any_clips(lengths: list[int], start: int, count: int, mode: PadMode) -> None:
    """A clip shorter than a frame is reflected again and again; each by its own length; padding is never read."""
    waveforms = torch.full((len(lengths), max(lengths) + 3), torch.nan, dtype=torch.float64)
    for row, n in zip(waveforms, lengths, strict=True):
        row[:n] = torch.randn(n, dtype=torch.float64)
    found = Padded(waveforms, lengths, mode).read(slice(0, len(lengths)), start, start + count)
    assert found.shape == (len(lengths), count)
    for row, clip, n in zip(found, waveforms, lengths, strict=True):
        np.testing.assert_array_equal(row.numpy(), expected(clip[:n], start, start + count, mode))


@given(st.integers(0, 40), st.integers(1, 40), st.integers(-20, 80), st.integers(1, 30), st.sampled_from(MODES))
def test_a_window_of_a_recording_shows_the_same(origin: int, held: int, start: int, count: int, mode: PadMode) -> None:
    """Where the samples shown lie within what is held."""
    recording = torch.randn(1, 80, dtype=torch.float64)
    whole = Padded(recording, None, mode).read(slice(0, 1), start, start + count)
    window = Padded(recording[:, origin : origin + held], [80], mode, origin)
    positions = Padded(torch.arange(80.0)[None], None, "replicate" if mode == "constant" else mode)
    shown = positions.read(slice(0, 1), start, start + count)
    if shown.min() >= origin and shown.max() < min(80, origin + held):
        assert torch.equal(window.read(slice(0, 1), start, start + count), whole)


def test_what_lies_within_is_a_view() -> None:
    waveforms = torch.randn(3, 50)
    within = Padded(waveforms, [50, 40, 45], "reflect").read(slice(1, 3), 5, 40)
    assert within.data_ptr() == waveforms[1, 5:].data_ptr()


@pytest.mark.parametrize("lengths", [[5], [5, 0], [5, 5, 5]])
def test_lengths_must_be_one_a_clip_and_positive(lengths: list[int]) -> None:
    with pytest.raises(ParameterError, match="lengths hold"):
        Padded(torch.zeros(2, 5), lengths, "reflect")


@pytest.mark.parametrize("shape", [(5,), (0, 5), (2, 0), (1, 2, 3)])
def test_a_batch_has_two_axes_and_is_not_empty(shape: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError, match="waveforms have shape"):
        Padded(torch.zeros(shape), None, "reflect")
