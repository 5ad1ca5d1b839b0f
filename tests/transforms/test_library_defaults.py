"""What ``parity`` fills in is what the installed library's own signature says.

Every parameter of every function has an entry here, so a default that a library changes, and a parameter that it adds,
are seen. What a default of None means in the library is the matter of `test_library_calls`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import librosa
import nnAudio.features
import pytest
import torch
import torchaudio.transforms as T

from specconv.layers.decibel import Decibel, decibel_like
from specconv.transforms import transform_parameters

pytestmark = pytest.mark.parity

Names = Mapping[str, str]  # theirs to ours
FRAMES = {key: key for key in ("n_fft", "win_length", "hop_length", "window", "center", "pad_mode")}
BAND = {"fmin": "f_min", "fmax": "f_max"}
CQT = {key: key for key in ("hop_length", "n_bins", "bins_per_octave", "filter_scale", "norm", "window", "pad_mode")}
CQT |= {"fmin": "f_min"}
TORCHAUDIO = {**FRAMES, "window_fn": "window", "power": "scale"}
del TORCHAUDIO["window"]
TORCHAUDIO_MEL = {**TORCHAUDIO, "power": "exponent", **{key: key for key in ("f_min", "f_max", "n_mels", "norm")}}
TORCHAUDIO_MEL |= {"mel_scale": "mel_scale"}
NNAUDIO_MEL = {**FRAMES, **BAND, "n_mels": "n_mels", "power": "exponent", "norm": "norm", "htk": "mel_scale"}

# Parameters that choose no number, or that specconv has no other value of: their defaults must stay these.
GIVEN = {
    "librosa": "y sr S dtype out kwargs dct_type=2 scale=True sparsity=0.01 tuning=0.0 res_type='soxr_hq' "
    "intervals='equal'",
    "torchaudio": "sample_rate=16000 pad=0 normalized=False wkwargs=None onesided return_complex=None melkwargs=None "
    "dct_type=2 log_mels=False",
    "nnaudio": "sr=22050 trainable=False trainable_mel=False trainable_STFT=False trainable_bins=False verbose=True "
    "output_format kwargs freq_scale='no' iSTFT=False earlydownsample=True",
}

LIBRARIES: list[tuple[str, str, Callable[..., Any], Names]] = [
    ("librosa", "stft", librosa.stft, FRAMES),
    ("librosa", "mel", librosa.feature.melspectrogram, {**FRAMES, "power": "exponent"}),
    (
        "librosa",
        "mfcc",
        librosa.feature.mfcc,
        {"n_mfcc": "n_mfcc", "norm": "dct_norm", "mel_norm": "norm", "lifter": "lifter"},
    ),
    (
        "librosa",
        "mel",
        librosa.filters.mel,
        {**BAND, "n_fft": "n_fft", "n_mels": "n_mels", "norm": "norm", "htk": "mel_scale"},
    ),
    ("librosa", "cqt", librosa.cqt, CQT),
    ("librosa", "vqt", librosa.vqt, {**CQT, "gamma": "gamma"}),
    ("torchaudio", "stft", T.Spectrogram, TORCHAUDIO),
    ("torchaudio", "mel", T.MelSpectrogram, TORCHAUDIO_MEL),
    ("torchaudio", "mfcc", T.MFCC, {"n_mfcc": "n_mfcc", "norm": "dct_norm"}),
    ("nnaudio", "stft", nnAudio.features.STFT, {**FRAMES, "freq_bins": "n_bins", "fmin": "lowest", "fmax": "highest"}),
    ("nnaudio", "mel", nnAudio.features.MelSpectrogram, NNAUDIO_MEL),
    (
        "nnaudio",
        "mfcc",
        nnAudio.features.MFCC,
        {"n_mfcc": "n_mfcc", "norm": "dct_norm", "ref": "ref", "amin": "amin", "top_db": "top_db"},
    ),
    ("nnaudio", "cqt", nnAudio.features.CQT1992v2, {**CQT, "fmax": "none", "center": "true"}),
    ("nnaudio", "cqt", nnAudio.features.CQT1992v2.forward, {"normalization_type": "gain"}),
    (
        "nnaudio",
        "vqt",
        nnAudio.features.VQT,
        {**CQT, "gamma": "gamma", "basis_norm": "norm", "norm": "true", "fmax": "none"},
    ),
    (
        "nnaudio",
        "gammatonegram",
        nnAudio.features.Gammatonegram,
        # It has mel's norm and htk, and uses neither.
        {**FRAMES, **BAND, "n_bins": "n_bins", "power": "exponent", "norm": "one", "htk": "false"},
    ),
    (
        "nnaudio",
        "cfp",
        nnAudio.features.CFP,
        {
            "fr": "resolution",
            "window_size": "win_length",
            "hop_length": "hop_length",
            "fc": "f_min",
            "tc": "period",
            "g": "gammas",
            "NumPerOct": "bins_per_octave",
            "fs": "16000",
        },
    ),
]


def filled_in(library: str, kind: str) -> dict[str, Any]:
    """What specconv's parity gives for every parameter, in the libraries' words."""
    parameters = transform_parameters({"type": kind, "parity": library})
    values = {key: getattr(parameters, key) for key in type(parameters).model_fields}
    values |= {"none": None, "true": True, "false": False, "one": 1, "16000": 16000}
    values["exponent"] = getattr(parameters, "exponent", None) or values.get("power") or 2.0
    values["amin"] = values["amin"] or decibel_like(parameters.parity, "power").amin
    if "mel_scale" in values and library != "torchaudio":
        values["mel_scale"] = values["mel_scale"] == "htk"
    if kind in ("cqt", "vqt") and library == "librosa":
        assert values["f_min"] == pytest.approx(librosa.note_to_hz("C1"), rel=1e-14)
        values["f_min"] = None
        if kind == "vqt":
            values["gamma"] = {"erb": None}[values["gamma"]]
    if library == "nnaudio" and values.get("norm") == "slaney":
        values["norm"] = 1
    if library == "torchaudio":
        values["scale"] = {"power": 2.0}[values["scale"]] if kind == "stft" else None
        values["window"] = {"hann": torch.hann_window}[values["window"]]
    if kind == "cfp":
        values["period"] = 1 / values["f_max"]
        values["gammas"] = [values[f"gamma_{i}"] for i in range(3)]
    if library == "nnaudio" and kind == "stft":
        spaced = transform_parameters({"type": kind, "parity": library, "freq_scale": "linear", "n_bins": 100})
        frequencies = spaced.frequencies(16_000)  # type: ignore[attr-defined]
        values["lowest"], values["highest"] = frequencies[0], round(2 * frequencies[50] - frequencies[0])
    return values


@pytest.mark.parametrize(("library", "kind", "function", "names"), LIBRARIES)
def test_what_parity_fills_in_is_in_the_signature(
    library: str, kind: str, function: Callable[..., Any], names: Names
) -> None:
    ours = filled_in(library, kind)
    without_us = dict(word.partition("=")[::2] for word in GIVEN[library].split())
    for name, parameter in inspect.signature(function).parameters.items():
        if name in names:
            if parameter.default is not parameter.empty:
                assert ours[names[name]] == parameter.default, name
        elif name not in ("self", "x"):
            assert name in without_us, f"{library} has a new parameter: {name}"
            if without_us[name]:
                assert parameter.default == ast.literal_eval(without_us[name]), name


@pytest.mark.parametrize(
    ("library", "of", "function", "multiplier"),
    [("librosa", "power", librosa.power_to_db, 10.0), ("librosa", "magnitude", librosa.amplitude_to_db, 20.0)],
)
def test_decibels_of_librosa(library: Any, of: Any, function: Callable[..., Any], multiplier: float) -> None:
    signature, ours = inspect.signature(function).parameters, decibel_like(library, of)
    assert {name: signature[name].default for name in ("ref", "amin", "top_db")} == {
        "ref": ours.reference,
        "amin": ours.amin,
        "top_db": ours.top_db,
    }
    assert ours.multiplier == multiplier
    assert {transform_parameters({"type": kind, "parity": library}).top_db for kind in ("stft", "mel", "mfcc")} == {80}


@pytest.mark.parametrize("of", ["power", "magnitude"])
def test_decibels_of_torchaudio(of: Any) -> None:
    theirs, ours = T.AmplitudeToDB(of), decibel_like("torchaudio", of)
    assert (theirs.multiplier, theirs.amin, theirs.ref_value, theirs.top_db) == (
        ours.multiplier,
        ours.amin,
        ours.reference,
        ours.top_db,
    )
    assert T.MFCC(melkwargs={"n_mels": 40}).top_db == transform_parameters(MFCC).top_db == 80


MFCC = {"type": "mfcc", "parity": "torchaudio"}

KAPRE = {
    "get_stft_magnitude_layer": (
        "n_fft=2048 win_length=None hop_length=None window_name=None pad_begin=False pad_end=False "
        "db_amin=1e-5 db_ref_value=1.0 db_dynamic_range=80.0"
    ),
    "get_melspectrogram_layer": (
        "n_fft=2048 win_length=None hop_length=None window_name=None pad_begin=False pad_end=False n_mels=128 "
        "mel_f_min=0.0 mel_f_max=None mel_htk=False mel_norm='slaney' db_amin=1e-5 db_ref_value=1.0 "
        "db_dynamic_range=80.0"
    ),
}
"""Kapre 0.4.1, which cannot be imported without TensorFlow; window None is its periodic hann."""


@pytest.mark.parametrize(("kind", "function"), list(zip(("stft", "mel"), KAPRE, strict=True)))
def test_defaults_of_kapre(kind: str, function: str) -> None:
    pairs = (word.partition("=")[::2] for word in KAPRE[function].split())
    theirs = {name: ast.literal_eval(value) for name, value in pairs}
    ours = filled_in("kapre", kind)
    assert (ours["window"], ours["center"]) == ("hann", False)
    assert [ours[key] for key in ("n_fft", "win_length", "hop_length")] == [2048, None, None]
    for of in ("power", "magnitude"):
        expected = Decibel(10.0, theirs["db_ref_value"], theirs["db_amin"], theirs["db_dynamic_range"])
        assert decibel_like("kapre", of).extra_repr() == expected.extra_repr()  # type: ignore[arg-type]
    if kind == "mel":
        assert ours["exponent"] == 1.0
        for name in ("n_mels", "f_min", "f_max", "norm"):
            assert ours[name] == theirs[name if name == "n_mels" else f"mel_{name}"]
        assert ours["mel_scale"] == theirs["mel_htk"]


@pytest.mark.parametrize("function", KAPRE)
def test_the_installed_kapre_has_these_defaults(function: str) -> None:
    spec = find_spec("kapre")
    if spec is None or spec.origin is None:
        pytest.skip("kapre is not installed")
    tree = ast.parse((Path(spec.origin).parent / "composed.py").read_text(encoding="utf-8"))
    arguments = next(node.args for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    found = dict(zip((a.arg for a in arguments.args), map(ast.literal_eval, arguments.defaults), strict=True))
    pairs = (word.partition("=")[::2] for word in KAPRE[function].split())
    expected = {name: ast.literal_eval(value) for name, value in pairs}
    assert {name: found.get(name, "is gone") for name in expected} == expected
    rest = {"input_shape", "sample_rate", "return_decibel", "input_data_format", "output_data_format", "name"}
    assert found.keys() - expected.keys() <= rest
