from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from specconv.layers.base import SpecgramInfo
from specconv.layers.decibel import Decibel, DecibelParameters, Library, Scale, decibel_like

ANY_SOURCE = SpecgramInfo(9, 16000.0, 256, np.linspace(0, 8000, 9))


def definition(
    x: NDArray[np.float64], multiplier: float, reference: float | str, amin: float, top_db: float | None
) -> NDArray[np.float64]:
    """One clip, float64, as it is written."""
    reference = float(x.max()) if isinstance(reference, str) else reference
    decibel = multiplier * np.log10(np.maximum(x, amin) / max(reference, amin))
    return decibel if top_db is None else np.maximum(decibel, decibel.max() - top_db)


def clips(seed: int = 0, *, lowest: float = -12) -> NDArray[np.float64]:
    """Four clips of very different level, some of it below amin, and a silent one."""
    exponents = np.random.default_rng(seed).uniform(lowest, 2, (4, 9, 17))
    levels = np.array([1.0, 1e-3, 1e3, 0.0])[:, None, None]
    return levels * 10.0**exponents


@pytest.mark.parametrize("multiplier", [10.0, 20.0])
@pytest.mark.parametrize("reference", [1.0, 0.02, 1e-12, "max"])
@pytest.mark.parametrize("top_db", [None, 80.0, 7.5])
def test_it_is_its_definition_clip_by_clip(multiplier: float, reference: float | str, top_db: float | None) -> None:
    x = clips()
    layer = Decibel(multiplier, reference, 1e-10, top_db)  # type: ignore[arg-type]
    expected = np.stack([definition(clip, multiplier, reference, 1e-10, top_db) for clip in x])
    np.testing.assert_allclose(layer(torch.tensor(x)).numpy(), expected, rtol=1e-12, atol=1e-10)
    single = layer(torch.tensor(x, dtype=torch.float32)).numpy()
    np.testing.assert_allclose(single, expected, rtol=1e-6, atol=2e-5)


def test_ten_times_the_power_is_ten_decibels_more() -> None:
    x = torch.logspace(-9, 3, 13, dtype=torch.float64).reshape(1, 1, 13)
    steps = Decibel(10.0, 1.0, 1e-10)(x).diff()
    torch.testing.assert_close(steps, torch.full_like(steps, 10.0))
    torch.testing.assert_close(Decibel(20.0)(x.sqrt()), Decibel(10.0)(x))


def test_silence_is_the_floor() -> None:
    silence = torch.zeros(2, 3, 4)
    assert Decibel(10.0, 1.0, 1e-10)(silence).unique().tolist() == [-100.0]
    assert Decibel(10.0, 1.0, 1e-10, 80.0)(silence).unique().tolist() == [-100.0]
    assert Decibel(10.0, "max", 1e-10, 80.0)(silence).unique().tolist() == [0.0]


def test_gradients_are_zero_below_amin_and_below_top_db() -> None:
    x = torch.tensor([[[0.0, 1e-12, 1e-3, 1.0]]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(Decibel(10.0, 1.0, 1e-10)(x).sum(), x)
    np.testing.assert_allclose(gradient[0, 0], [0, 0, 10 / np.log(10) / 1e-3, 10 / np.log(10)])
    clipped = Decibel(10.0, 1.0, 1e-10, 20.0)(x)[..., :3].sum()
    (gradient,) = torch.autograd.grad(clipped, x)
    np.testing.assert_allclose(gradient[0, 0], [0, 0, 0, 3 * 10 / np.log(10)])  # the peak carries them


@given(st.lists(st.floats(0, 1e30), min_size=4, max_size=4), st.floats(0.1, 200))
@settings(max_examples=60, deadline=None)
def test_it_keeps_order_and_range(values: list[float], top_db: float) -> None:
    x = torch.tensor(values, dtype=torch.float64).reshape(1, 2, 2)
    decibel = Decibel(10.0, "max", 1e-10, top_db)(x)
    assert decibel.max() == 0
    assert decibel.min() >= -top_db
    order = x.flatten().argsort()
    assert (decibel.flatten()[order].diff() >= 0).all()


@pytest.mark.parity
@pytest.mark.parametrize("of", ["power", "magnitude"])
def test_parity_librosa(of: Scale) -> None:
    x = clips().astype(np.float32)
    theirs = librosa.power_to_db if of == "power" else librosa.amplitude_to_db
    ours = decibel_like("librosa", of)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(ours, np.stack([theirs(clip) for clip in x]), atol=3e-5)
    relative = DecibelParameters.model_validate({"of": of, "parity": "librosa", "reference": "max"})
    ours = relative.build(ANY_SOURCE)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(ours, np.stack([theirs(clip, ref=np.max) for clip in x]), atol=3e-5)


@pytest.mark.parity
@pytest.mark.parametrize("of", ["power", "magnitude"])
@pytest.mark.parametrize("top_db", [None, 40.0])
def test_parity_torchaudio(of: Scale, top_db: float | None) -> None:
    x = torch.tensor(clips(), dtype=torch.float32)
    theirs = torchaudio.transforms.AmplitudeToDB(of, top_db=top_db)
    ours = DecibelParameters.model_validate({"of": of, "parity": "torchaudio", "top_db": top_db}).build(ANY_SOURCE)
    # One threshold a clip: what torchaudio does with a channel axis, and not without one.
    torch.testing.assert_close(ours(x), theirs(x[:, None])[:, 0], rtol=1e-6, atol=2e-5)
    stereo = x.reshape(2, 2, 9, 17)
    torch.testing.assert_close(ours(stereo), theirs(stereo), rtol=1e-6, atol=2e-5)


@pytest.mark.parity
def test_parity_nnaudio() -> None:
    from nnAudio.features import MFCC

    theirs = MFCC(verbose=False)
    x = torch.tensor(clips(), dtype=torch.float32)
    torch.testing.assert_close(decibel_like("nnaudio", "power")(x), theirs._power_to_db(x), rtol=1e-6, atol=2e-5)


@pytest.mark.parity
def test_parity_kapre_as_its_source_defines_it() -> None:
    """0.3.7's magnitude_to_decibel: 10 log10 of a magnitude. 0.1.7's amplitude_to_decibel: below the peak."""
    x = clips()
    new = np.stack([definition(clip, 10.0, 1.0, 1e-5, 80.0) for clip in x])
    np.testing.assert_allclose(decibel_like("kapre", "magnitude")(torch.tensor(x)), new, atol=1e-10)
    logarithm = 10 * np.log10(np.maximum(x, 1e-10))
    old = np.maximum(logarithm - logarithm.max(axis=(1, 2), keepdims=True), -80.0)
    parameters = DecibelParameters(of="power", reference="max", amin=1e-10, top_db=80.0)
    np.testing.assert_allclose(parameters.build(ANY_SOURCE)(torch.tensor(x)), old, atol=1e-10)


@pytest.mark.parametrize(
    ("parity", "of", "amin", "top_db"),
    [
        (None, "power", 1e-10, None),
        (None, "magnitude", 1e-5, None),
        ("librosa", "magnitude", 1e-5, 80.0),
        ("torchaudio", "magnitude", 1e-10, None),
        ("nnaudio", "power", 1e-10, 80.0),
        ("kapre", "magnitude", 1e-5, 80.0),
    ],
)
def test_a_library_gives_what_is_not_given(
    parity: Library | None, of: Scale, amin: float, top_db: float | None
) -> None:
    parameters = DecibelParameters(of=of, parity=parity)
    assert (parameters.amin, parameters.top_db) == (amin, top_db)
    assert DecibelParameters(of=of, parity=parity, top_db=None).top_db is None
    assert DecibelParameters(of=of, parity=parity, amin=0.5).amin == 0.5
    assert parameters.output(ANY_SOURCE).units == "dB"


def test_frames_stand_alone_unless_something_looks_at_the_peak() -> None:
    assert DecibelParameters().scope == "frame"
    assert DecibelParameters(top_db=80.0).scope == "clip"
    assert DecibelParameters(reference="max").scope == "clip"


@pytest.mark.parametrize(
    "wrong",
    [
        {"amin": 0},
        {"amin": -1},
        {"top_db": 0},
        {"reference": 0},
        {"of": "phase"},
        {"parity": "matlab"},
        {"of": []},
    ],
)
def test_impossible_values_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DecibelParameters.model_validate(wrong)
