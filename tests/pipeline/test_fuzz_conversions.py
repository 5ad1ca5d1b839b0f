"""Any mix of clips, any legal config: every clip is accounted for and has the numbers that it has alone."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from stored_clips import alone, assert_same, stored

import specconv
from specconv.errors import ParameterError

RATE = 8000
EXAMPLES = 80
ROUNDED, STEEP, ROOTS = 3e-6, 3e-5, 1e-3  # of the peak, by what becomes of the last bit: CFP takes roots of it
UNSHRUNK = [Phase.explicit, Phase.generate]  # making a failing example smaller takes minutes
Strategy = st.SearchStrategy[dict[str, Any]]
Clip = tuple[int, int, int, str]

# Clips of one length, of similar and of far lengths; shorter than half a frame, and of one sample.
lengths = st.one_of(st.integers(1, 6000), st.sampled_from([1, 2, 127, 128, 129, 2000, 2001, 2002]))
rates = st.sampled_from([RATE, RATE, RATE, 4000, 11_025, 7919])
names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
clips = st.lists(st.tuples(lengths, st.integers(1, 3), rates, names), min_size=1, max_size=8)

windows = st.sampled_from(["hann", "hamming", "boxcar", ["kaiser", 8.6]])
pads = st.sampled_from(["reflect", "constant", "replicate"])
loudness: Mapping[str, st.SearchStrategy[Any]] = {
    "engine": st.sampled_from(["auto", "conv1d", "fft"]),
    "ref": st.sampled_from(["max", 1.0, 0.5]),
    "top_db": st.none() | st.floats(20, 80),
    "then": st.lists(
        st.sampled_from(
            [
                {"layer": "normalization", "over": "freq"},
                {"layer": "delta", "win_length": 9},
                {"layer": "filterbank", "n_filters": 1, "init": "random"},
                {"layer": "noise"},
            ]
        ),
        max_size=2,
    ),
}
real = st.sampled_from(["magnitude", "power", "decibel", "log"])
framed: Mapping[str, st.SearchStrategy[Any]] = {
    **loudness,
    "n_fft": st.integers(64, 600),
    "hop_length": st.none() | st.integers(16, 1000),
    "win_length": st.none() | st.integers(2, 64),
    "window": windows,
    "center": st.booleans(),
    "pad_mode": pads,
}
mel: Mapping[str, st.SearchStrategy[Any]] = {
    **framed,
    "n_fft": st.integers(256, 600),
    "n_mels": st.integers(1, 16),
    "f_min": st.floats(0, 500),
    "f_max": st.none() | st.floats(2000, 4000),
    "mel_scale": st.sampled_from(["slaney", "htk"]),
}
wavelet: Mapping[str, st.SearchStrategy[Any]] = {
    **loudness,
    "hop_length": st.integers(16, 600),
    "pad_mode": pads,
    "f_min": st.floats(60, 400),
    "n_bins": st.integers(1, 30),
    "filter_scale": st.floats(0.3, 1.0),
    "norm": st.sampled_from([1, 2, "max", None]),
    "window": windows,
}
erb: Mapping[str, st.SearchStrategy[Any]] = {"n_bins": st.integers(1, 12), "f_min": st.floats(50, 500)}


def entry(kind: str, parameters: Mapping[str, st.SearchStrategy[Any]], **more: st.SearchStrategy[Any]) -> Strategy:
    """The sizes are always given: the defaults are those of full rates. Other keys may be left out."""
    every = {**parameters, **more}
    sizes = {key: value for key, value in every.items() if key.startswith("n_") or key == "f_min"}
    optional = {key: value for key, value in every.items() if key not in sizes}
    return st.fixed_dictionaries({"type": st.just(kind), **sizes}, optional=optional)


complex_stft: Strategy = st.fixed_dictionaries(
    {"type": st.just("stft"), "scale": st.just("complex"), "n_fft": framed["n_fft"]},
    optional={"hop_length": st.integers(16, 600), "engine": loudness["engine"], "pad_mode": pads},
)
transforms = st.one_of(
    entry("stft", framed, scale=real),
    entry("mel", mel, scale=real),
    entry(
        "mfcc", {**mel, "n_mels": st.integers(8, 16)}, n_mfcc=st.integers(1, 8), lifter=st.just(0) | st.floats(1, 30)
    ),
    entry("cqt", wavelet, scale=real),
    entry("vqt", wavelet, scale=real, gamma=st.sampled_from(["erb", 0, 12.5])),
    entry("gammatone", {**loudness, **erb}, scale=real, hop_length=st.integers(16, 600), pad_mode=pads),
    entry("gammatonegram", {**framed, **erb}, scale=real),
    entry("cfp", {key: value for key, value in framed.items() if key != "then"} | {"n_fft": st.integers(512, 1024)}),
    complex_stft,
)
configs = st.fixed_dictionaries(
    {
        "audio": st.fixed_dictionaries(
            {"sample_rate": st.just(RATE), "channels": st.sampled_from(["mono", "first"])},
            optional={"duration": st.floats(0.15, 0.4)},
        ),
        "transforms": st.lists(transforms, min_size=1, max_size=3).map(
            lambda entries: [{**one, "name": f"t{i}"} for i, one in enumerate(entries)]
        ),
        "shards": st.fixed_dictionaries(
            {"clips": st.integers(1, 5)}, optional={"compression": st.sampled_from(["gzip", "lzf", "zstd"])}
        ),
    }
)


def share(transform: Mapping[str, Any]) -> float:
    """How much of the peak clips alone and together may differ; logarithms and normalizations enlarge rounding."""
    if transform["type"] == "cfp":
        return ROOTS
    layers = {layer["layer"] for layer in transform.get("then", ())}
    steep = transform["type"] == "mfcc" or transform.get("scale") in ("decibel", "log") or "normalization" in layers
    return STEEP if steep else ROUNDED


def write(audio: Path, number: int, clip: Clip) -> str:
    """Each in a folder of its own, for names may be equal, or equal to some file systems."""
    n_samples, channels, rate, name = clip
    path = audio / str(number) / f"a{name}.wav"
    path.parent.mkdir(parents=True)
    samples = np.random.default_rng(number).uniform(-0.5, 0.5, (n_samples, channels))
    with path.open("wb") as file:
        soundfile.write(file, samples, rate, subtype="FLOAT", format="WAV")
    return path.relative_to(audio).as_posix()


def example_of(*listed: Clip, **transform: Any) -> Any:
    return example(
        listed=list(listed), config={"audio": {"sample_rate": RATE}, "transforms": [{**transform, "name": "t"}]}
    )


@pytest.mark.parametrize("streamed", [False, True])
@example_of((411, 1, RATE, "long enough for a frame"), type="stft", n_fft=150, center=False)
@example_of((1, 1, RATE, ""), (149, 1, RATE, ""), (150, 1, RATE, ""), type="stft", n_fft=150, center=False)
@given(listed=clips, config=configs)
@settings(max_examples=EXAMPLES // 2, phases=UNSHRUNK, suppress_health_check=list(HealthCheck))
def test_a_conversion_is_each_clip_computed_alone(streamed: bool, listed: list[Clip], config: dict[str, Any]) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        if streamed:  # all but the shortest go through in blocks
            patch.setattr("specconv.pipeline.converter.LONG_BYTES", 1)
            patch.setattr("specconv.pipeline.converter.BLOCK_BYTES", 2**12)
        audio, out = Path(folder, "audio"), Path(folder, "out")
        paths = {write(audio, number, clip) for number, clip in enumerate(listed)}
        report = specconv.convert(audio, config, out)
        found, failed = stored(out), {failure.path: failure for failure in report.failures}
        assert (report.clips, len(failed)) == (len(found), len(paths) - len(found))
        assert found.keys() | failed.keys() == paths
        for path, specgrams in found.items():
            expected = alone(audio / path, config)
            assert set(specgrams) == set(expected)
            for one in config["transforms"]:
                name = one["name"]
                assert_same({name: specgrams[name]}, {name: expected[name]}, share(one))
        for path, failure in failed.items():
            assert (failure.stage, "too short for one frame" in failure.reason) == ("transform", True), failure
            with pytest.raises(ParameterError, match="too short for one frame"):
                alone(audio / path, config)
