"""What the bench calls right and wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from specconv.bench.agreement import STEP, Definition, compare, definition, relative_error
from specconv.transforms import build_transform

RANDOM = np.random.default_rng(0)
REFERENCE = RANDOM.random((5, 7))
WANTED = Definition(REFERENCE, 1, 7)


def test_the_error_is_relative_to_the_peak() -> None:
    values = REFERENCE.copy()
    values[2, 3] += 0.01
    assert relative_error(values, REFERENCE) == pytest.approx(0.01 / REFERENCE.max())


def test_complex_values_are_compared_with_their_phase() -> None:
    assert relative_error(1j * REFERENCE, REFERENCE + 0j) == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("scale", [1.01, 0.0, -1.0])
def test_a_scaled_result_is_wrong(scale: float) -> None:
    verdict = compare(torch.from_numpy(scale * REFERENCE)[None], WANTED, "magnitude", 1e-3)
    assert verdict.is_wrong
    assert str(verdict).startswith("wrong: error")


def test_a_result_within_the_tolerance_is_right() -> None:
    verdict = compare(REFERENCE[None] * (1 + 1e-4), WANTED, "magnitude", 1e-3)
    assert not verdict.is_wrong
    assert str(verdict) == "ok"


def test_another_shape_is_wrong_but_one_frame_is_forgiven() -> None:
    assert compare(REFERENCE[None, :, :-1], WANTED, "magnitude", 1e-3).error == 0.0
    assert compare(REFERENCE[None, :, :-2], WANTED, "magnitude", 1e-3).is_wrong
    assert "shape (4, 7), expected (5, 7)" in str(compare(REFERENCE[None, :-1], WANTED, "magnitude", 1e-3))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_wrong(value: float) -> None:
    values = REFERENCE.copy()
    values[0, 0] = value
    assert "not finite" in str(compare(values[None], WANTED, "magnitude", 1e-3))


def test_silence_agrees_with_silence_and_with_nothing_else() -> None:
    silence = np.zeros((2, 3))
    wanted = Definition(silence, 1, 3)
    assert compare(silence[None], wanted, "magnitude", 1e-3).error == 0.0
    assert compare(silence[None] + 1e-9, wanted, "magnitude", 1e-3).is_wrong


def test_phases_are_not_compared() -> None:
    verdict = compare(REFERENCE[None] + 1.0, WANTED, "phase", 1e-3)
    assert verdict.error is None
    assert not verdict.is_wrong
    assert str(verdict).startswith("not compared")


def test_the_definition_is_a_float64_dft_of_some_frames() -> None:
    waveform = torch.from_numpy(RANDOM.standard_normal(1_000)).float()
    given = {"type": "stft", "n_fft": 64, "hop_length": 32, "center": False, "scale": "complex"}
    found = definition(given, 8_000, waveform)
    start = 2 * STEP * 32
    frame = waveform.double().numpy()[start : start + 64] * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64))
    assert found.values.dtype == np.complex128
    assert (found.step, found.n_frames) == (STEP, (1_000 - 64) // 32 + 1)
    np.testing.assert_allclose(found.values[:, 2], np.fft.rfft(frame), atol=1e-12)


@pytest.mark.parametrize("more", [{"top_db": 30.0}, {"scale": "power", "then": [{"layer": "delta"}]}])
def test_all_frames_are_defined_where_they_depend_on_one_another(more: dict[str, Any]) -> None:
    waveform = torch.from_numpy(RANDOM.standard_normal(1_000)).float()
    given = {"type": "stft", "n_fft": 64, "hop_length": 32, "scale": "decibel", **more}
    found = definition(given, 8_000, waveform)
    assert (found.step, found.values.shape[1]) == (1, found.n_frames)
    assert not compare(build_transform(given, 8_000)(waveform)[None], found, "decibel", 1e-4).is_wrong


def test_frames_between_the_compared_ones_are_counted() -> None:
    wanted = Definition(REFERENCE, STEP, 6 * STEP + 1)
    assert compare(np.zeros((1, 5, 6 * STEP - 3)), wanted, "magnitude", 1e-3).reason.startswith("shape")
    spread = np.zeros((1, 5, 6 * STEP + 1))
    spread[0, :, ::STEP] = REFERENCE
    assert compare(spread, wanted, "magnitude", 1e-3).error == 0.0
