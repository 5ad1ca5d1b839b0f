"""Configs of users in a hurry, of careful ones, and of people who wish us ill."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from specconv.config import LARGEST_FILE, MOST_FAULTS, MOST_TRANSFORMS, Job, load_config, parse_config
from specconv.errors import ConfigError, SpecconvWarning
from specconv.transforms import TYPES, TransformSet, build_transform

CONFIGS = Path(__file__).parent.parent / "configs"


def faults(document: Mapping[str, Any] | str) -> list[str]:
    """What is wrong with a config, line by line."""
    with pytest.raises(ConfigError) as caught:
        parse_config(document) if isinstance(document, str) else load_config(document)
    assert str(caught.value) == "\n".join(str(fault) for fault in caught.value.faults)
    return [str(fault) for fault in caught.value.faults]


def faults_of(sample_rate: int | None = 16000, **entry: Any) -> list[str]:
    """What is wrong with one transform."""
    return faults({"audio": {"sample_rate": sample_rate}, "transforms": [entry]})


@contextmanager
def at_once(seconds: float = 1.0) -> Iterator[None]:
    """What is inside must not take long: a config is read before anything is done."""
    start = time.process_time()
    yield
    assert time.process_time() - start < seconds


# --- what a config means


def test_defaults_are_those_of_the_schema() -> None:
    job = parse_config("transforms: [{type: mel}]")
    assert job.audio.model_dump() == {"sample_rate": None, "channels": "mono", "duration": None}
    assert job.shards.model_dump() == {"clips": 512, "dtype": "float32", "compression": "none"}
    assert [t.name for t in job.transforms] == ["mel"]


def test_a_list_sweeps_and_names_what_it_sweeps() -> None:
    job = parse_config("transforms: [{type: mel, n_fft: [1024, 2048], hop_length: 512, n_mels: [64, 128]}]")
    assert [t.name for t in job.transforms] == ["mel-1024-64", "mel-1024-128", "mel-2048-64", "mel-2048-128"]
    assert [(t.n_fft, t.n_mels) for t in job.transforms] == [(1024, 64), (1024, 128), (2048, 64), (2048, 128)]  # type: ignore[attr-defined]
    assert job.keys == ("transforms[0]",) * 4


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ("{type: stft, name: a, n_fft: [64, 128]}", ["a-64", "a-128"]),
        ("{type: stft, n_fft: [64]}", ["stft-64"]),
        ("{type: cqt, filter_scale: [0.5, 1.0]}", ["cqt-0.5", "cqt-1"]),
        ("{type: mel, norm: [slaney, null]}", ["mel-slaney", "mel-None"]),
        ("{type: [stft, mel], n_fft: [64, 128]}", ["stft-64", "stft-128", "mel-64", "mel-128"]),
        ("{type: stft, window: [hann, hamming]}", ["stft-hann", "stft-hamming"]),
        ("{type: stft, window: [kaiser, 8.6]}", ["stft"]),
        ("{type: stft, window: [[kaiser, 8.6], hann]}", ["stft-_kaiser_8.6_", "stft-hann"]),
        ("{type: stft, name: [x, y]}", ["x", "y"]),
        ("{type: stft, then: [{layer: delta}]}", ["stft"]),
    ],
)
def test_names_of_sweeps(entry: str, names: list[str]) -> None:
    assert [t.name for t in parse_config(f"transforms: [{entry}]").transforms] == names


def test_a_window_with_parameters_is_one_window() -> None:
    (transform,) = parse_config("transforms: [{type: stft, n_fft: 256, window: [kaiser, 8.6]}]").transforms
    assert transform.window == ("kaiser", 8.6)  # type: ignore[attr-defined]
    waveform = torch.randn(1000)
    theirs = torch.stft(
        waveform, 256, 64, window=torch.kaiser_window(256, True, 8.6), pad_mode="reflect", return_complex=True
    )
    torch.testing.assert_close(transform.build(8000, trainable=False)(waveform), theirs.abs(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("written", "value"),
    [("016000", 16000), ("0o37200", 16000), ("0x3E80", 16000), ("+16000", 16000), ("!!int 016000", 16000)],
)
def test_integers_are_those_of_yaml_1_2(written: str, value: int) -> None:
    assert parse_config(f"audio: {{sample_rate: {written}}}\ntransforms: [{{type: mel}}]").audio.sample_rate == value


@pytest.mark.parametrize("word", ["1:30", "1_000", "0b101", "-0x10", "2026-11-26", "190:20:30", "1e3", ".inf", "0o18"])
def test_what_is_no_integer_by_yaml_1_2_is_refused_with_key_and_line(word: str) -> None:
    (message,) = faults(f"transforms:\n  - type: mel\n    n_fft: {word}\n")
    assert message.startswith("transforms[0].n_fft: is ")
    assert message.endswith("must be a valid integer (line 3)")


@pytest.mark.parametrize("word", ["1:30", "1_000.0", "190:20:30.15", "2026-11-26", "0o18", ".inf", ".nan", "1e999999"])
def test_what_is_no_number_by_yaml_1_2_is_refused_with_key_and_line(word: str) -> None:
    (message,) = faults(f"audio:\n  duration: {word}\ntransforms: [{{type: mel}}]\n")
    assert message.startswith("audio.duration: is ")
    assert message.endswith("(line 2)")


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "y", "N", "Yes", "ON"])
def test_words_are_no_truth_values(word: str) -> None:
    (message,) = faults(f"transforms: [{{type: mel, center: {word}}}]")
    assert message == f"transforms[0].center: is {word!r}; must be a valid boolean (line 1)"
    assert parse_config(f"transforms: [{{type: mel, name: {word}}}]").transforms[0].name == word


@pytest.mark.parametrize("word", ["~", "null", "NULL", ""])
def test_null(word: str) -> None:
    assert parse_config(f"audio: {{duration: {word}}}\ntransforms: [{{type: mel}}]").audio.duration is None


@pytest.mark.parametrize("name", ["1e3", "0o17", "016", "1.5", "on", "no", "null", "1_000", "0x10", "2026-11-26", "5"])
def test_a_name_that_looks_like_a_number_is_read_back_by_both_versions(name: str) -> None:
    job = load_config({"transforms": [{"type": "mel", "name": name}]})
    assert parse_config(job.to_yaml()).transforms[0].name == name
    assert yaml.safe_load(job.to_yaml())["transforms"][0]["name"] == name


def test_keys_that_stand_twice_are_all_named_with_their_place() -> None:
    assert faults(
        "transforms:\n  - {type: mel, n_fft: 512}\n  - type: stft\n    type: mel\nshards: {}\nshards: {}"
    ) == [
        "is not YAML: the key 'shards' stands twice (lines 5 and 6); remove one of them",
        "is not YAML: the key 'type' stands twice in transforms[1] (lines 3 and 4); remove one of them",
    ]


@pytest.mark.parametrize("number", ["1e-10", "1E-10", "1.e-10", "+1e-10", "0.0000000001"])
def test_numbers_are_written_as_in_yaml_1_2(number: str) -> None:
    (transform,) = parse_config(f"transforms: [{{type: mel, amin: {number}}}]").transforms
    assert transform.amin == 1e-10


def test_a_mapping_may_be_merged_and_overridden() -> None:
    job = parse_config(
        """
        transforms:
          - &base {type: mel, n_fft: 1024, hop_length: 256, name: a}
          - {<<: *base, n_fft: 2048, name: b}
          - {<<: *base, name: c}
        """
    )
    assert [(t.name, t.n_fft, t.hop_length) for t in job.transforms] == [  # type: ignore[attr-defined]
        ("a", 1024, 256),
        ("b", 2048, 256),
        ("c", 1024, 256),
    ]


def test_aliases_are_written_once_and_used_twice() -> None:
    layers = "&layers [{layer: normalization, over: freq}]"
    job = parse_config(f"transforms: [{{type: stft, then: {layers}}}, {{type: mel, then: *layers}}]")
    assert [len(t.then) for t in job.transforms] == [1, 1]


def test_a_job_is_frozen() -> None:
    job = load_config(CONFIGS / "mel.yaml")
    with pytest.raises(ValueError, match="frozen"):
        job.audio.sample_rate = 1  # type: ignore[misc]


# --- what is wrong with one


EXACT = [
    ({"transforms": [{"type": "wavelet"}]}, f"transforms[0].type: is 'wavelet'; must be one of {', '.join(TYPES)}"),
    ({"transforms": [{"n_fft": 64}]}, f"transforms[0].type: is None; must be one of {', '.join(TYPES)}"),
    ({"transforms": [{"type": {"a": 1}}]}, f"transforms[0].type: is {{'a': 1}}; must be one of {', '.join(TYPES)}"),
    ({"transforms": []}, "transforms: is []; must have at least 1 item after validation, not 0"),
    ({}, "transforms: is missing; add it"),
    ({"transforms": {"type": "mel"}}, "transforms: is {'type': 'mel'}; must be a valid list"),
    ({"transforms": ["mel"]}, "transforms[0]: is 'mel'; must be a mapping like {type: mel, n_mels: 64}"),
    ({"transforms": [None]}, "transforms[0]: is None; must be a mapping like {type: mel, n_mels: 64}"),
    ({"transforms": [{1: 2}]}, "transforms[0]: has the key 1; keys are words"),
    ({"transforms": [{"type": "stft"}], "audoi": {}}, "audoi: is not known here; check its spelling or remove it"),
    ({"transforms": [{"type": "stft"}], "audio": None}, "audio: is None; must be a mapping"),
    (
        {"transforms": [{"type": "stft"}], "audio": {"sample_rate": True}},
        "audio.sample_rate: is True; must be a valid integer",
    ),
    (
        {"transforms": [{"type": "stft"}], "audio": {"sample_rate": 10**9}},
        "audio.sample_rate: is 1000000000; must be at most 10000000",
    ),
    (
        {"transforms": [{"type": "stft"}], "audio": {"sample_rate": "16000"}},
        "audio.sample_rate: is '16000'; must be a valid integer",
    ),
    (
        {"transforms": [{"type": "stft"}], "audio": {"channels": "stereo"}},
        "audio.channels: is 'stereo'; must be 'mono' or 'first'",
    ),
    ({"transforms": [{"type": "stft"}], "audio": {"duration": 0}}, "audio.duration: is 0; must be above 0"),
    ({"transforms": [{"type": "stft"}], "shards": {"clips": 0}}, "shards.clips: is 0; must be at least 1"),
    (
        {"transforms": [{"type": "stft"}, {"type": "stft"}]},
        "transforms[1]: is named 'stft' like transforms[0]; give one of them another name",
    ),
    (
        {"transforms": [{"type": "stft", "n_fft": [512, 512, 512]}]},
        "transforms[0]: sweeps to the name 'stft-512' 3 times; let each value stand once",
    ),
    (
        {"transforms": [{"type": "stft", "n_fft": []}]},
        "transforms[0].n_fft: is an empty list; name at least one value or remove the key",
    ),
    (
        {"transforms": [{"type": "stft", "n_fft": [[64]]}]},
        "transforms[0].n_fft: holds a list or a mapping; a sweep's values are numbers or words",
    ),
]


@pytest.mark.parametrize(("document", "message"), EXACT, ids=range(len(EXACT)))
def test_a_fault_says_where_what_and_which_bound(document: Mapping[Any, Any], message: str) -> None:
    assert faults(document) == [message]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"n_fft": "2048"}, "n_fft: is '2048'; must be a valid integer"),
        ({"n_fft": True}, "n_fft: is True; must be a valid integer"),
        ({"n_fft": 2048.0}, "n_fft: is 2048.0; must be a valid integer"),
        ({"n_fft": None}, "n_fft: is None; must be a valid integer"),
        ({"n_fft": 2**40}, "n_fft: is 1099511627776; must be at most 4194304"),
        ({"n_fft": 1}, "n_fft: is 1; must be at least 2"),
        ({"hop_length": 0}, "hop_length: is 0; must be at least 1"),
        ({"hop_length": -512}, "hop_length: is -512; must be at least 1"),
        ({"hop_length": 2**40}, "hop_length: is 1099511627776; must be at most 4194304"),
        ({"win_length": 4096}, "win_length: 4096 samples exceed n_fft, 2048; lower win_length or raise n_fft"),
        ({"center": 1}, "center: is 1; must be a valid boolean"),
        ({"pad_mode": "edge"}, "pad_mode: is 'edge'; must be 'reflect', 'constant' or 'replicate'"),
        ({"f_max": 8000.5}, "f_max: is 8000.5 Hz; at most 8000 Hz, half the sample rate, exists: lower it"),
        ({"f_min": 9000.0, "f_max": 8000.0}, "f_min: is 9000 Hz; must be from 0 to below f_max, 8000 Hz: lower it"),
        ({"f_min": float("nan")}, "f_min: is nan; must be a finite number"),
        ({"f_max": float("inf")}, "f_max: is inf; must be a finite number"),
        ({"f_max": "8000"}, "f_max: is '8000'; must be a valid number"),
        ({"power": 0}, "power: is 0; must be above 0"),
        ({"scale": "complex"}, "scale: is 'complex'; must be 'magnitude', 'power', 'decibel' or 'log'"),
        ({"engine": "gpu"}, "engine: is 'gpu'; must be 'auto', 'conv1d' or 'fft'"),
        (
            {"engine": "conv1d", "n_fft": 2**15},
            "n_fft: 32768 exceeds 16384, the most that conv1d can hold; use engine: fft",
        ),
        ({"parity": "essentia"}, "parity: is 'essentia'; must be 'librosa', 'torchaudio', 'nnaudio' or 'kapre'"),
        ({"parity": {"a": 1}}, "parity: is {'a': 1}; must be 'librosa', 'torchaudio', 'nnaudio' or 'kapre'"),
        ({"ref": -1}, "ref: is -1; must be above 0 or be 'max'"),
        ({"window": 3}, "window: is 3; must be a valid string or be a valid tuple"),
        ({"n_mells": 3}, "n_mells: is not known here; check its spelling or remove it"),
        ({"name": 5}, "name: is 5; must be a valid string"),
        ({"then": {"layer": "delta"}}, "then: is {'layer': 'delta'}; must be a valid tuple"),
        ({"then": [{"layer": "normalization"}]}, "then[0].over: is missing; add it"),
        (
            {"then": [{"layer": "delta"}, {"layer": "delta", "win_length": 1}]},
            "then[1].win_length: is 1; must be at least 3",
        ),
        (
            {"then": [{"layer": ["delta"]}]},
            "then[0]: is ['delta'], no layer; write {layer: NAME} with one of decibel, delta, filterbank, noise, "
            "normalization, spec_augment",
        ),
        (
            {"n_fft": 2**22, "n_mels": 2**16},
            "n_mels: 65536 filters over a spectrum of n_fft 4194304 exceed 67108864 weights, n_fft times n_mels; "
            "lower one of them",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_faults_of_a_mel(entry: dict[str, Any], message: str) -> None:
    assert faults_of(type="mel", **entry) == [f"transforms[0].{message}"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"type": "cqt", "n_bins": 100},
            "n_bins: is 100; only 96 bins from 32.7032 Hz, 12 an octave, lie below 8000 Hz, "
            "half the sample rate: lower n_bins to 96 or lower f_min",
        ),
        ({"type": "cqt", "hop_length": 2**40}, "hop_length: is 1099511627776; must be at most 4194304"),
        ({"type": "cqt", "norm": 3}, "norm: is 3; must be 1, 2 or 'max'"),
        ({"type": "vqt", "gamma": "x"}, "gamma: is 'x'; must be a valid number or be 'erb'"),
        (
            {"type": "cqt", "parity": "torchaudio"},
            "parity: is torchaudio, which has no cqt to agree with; choose from librosa, nnaudio or leave parity out",
        ),
        (
            {"type": "gammatone", "parity": "librosa"},
            "parity: is librosa, which has no gammatone to agree with; leave parity out",
        ),
        ({"type": "mfcc", "lifter": 1e-300}, "lifter: is 1e-300; must be 0 (none) or at least 1: raise it"),
        ({"type": "mfcc", "n_mfcc": 129}, "n_mfcc: 129 coefficients exceed n_mels, 128; lower n_mfcc or raise n_mels"),
        (
            {"type": "stft", "f_min": 20.0},
            "f_min: is given, but freq_scale is uniform: every bin is kept; set freq_scale: linear",
        ),
        (
            {"type": "stft", "freq_scale": "log", "f_min": 0.0},
            "f_min: is 0 Hz; must be above 0 Hz where bins are spaced in octaves: raise it",
        ),
        (
            {"type": "stft", "scale": "complex", "then": [{"layer": "delta"}]},
            "then: takes real values, but scale is complex; choose another scale or leave then out",
        ),
        (
            {"type": "gammatonegram", "f_min": 9000.0},
            "f_min: is 9000 Hz; must be from 0 to below f_max, 8000 Hz: lower it",
        ),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_faults_of_other_types(entry: dict[str, Any], message: str) -> None:
    assert faults_of(**entry) == [f"transforms[0].{message}"]


@pytest.mark.parametrize("norm", [1, None])
def test_a_window_that_is_none_is_found_before_it_is_used(norm: int | None) -> None:
    for entry in ({"type": "cqt", "n_bins": 12, "norm": norm}, {"type": "stft"}):
        (message,) = faults_of(window="hanning?", **entry)
        assert message.startswith("transforms[0].window: is 'hanning?', which is no window")


@pytest.mark.parametrize(
    "name", ["a/b", "../up", "..", ".", ".hidden", "", " ", "a b", "a\n", "ünï", "a\0b", "-a", "a" * 101, "a\\b", "a:b"]
)
def test_names_that_cannot_be_files_or_datasets(name: str) -> None:
    if name:
        (message,) = faults_of(type="stft", name=name)
        assert message.startswith("transforms[0].name: is ")
    else:  # no name is the type's
        assert load_config({"transforms": [{"type": "stft", "name": name}]}).transforms[0].name == "stft"


def test_every_fault_is_told_at_once() -> None:
    found = faults(
        """
        audio: {sample_rate: 16000, channels: stereo, durations: 4}
        transforms:
          - {type: mel, n_fft: "1024", f_max: 9000.0, n_mel: 3}
          - {type: stft, n_fft: 512, win_length: 1024, f_min: 30.0}
          - {type: cqt, n_bins: 200, parity: kapre}
          - {type: vqt, n_bins: 200}
          - {type: wavelet}
          - {type: mfcc, then: [{layer: dalta}, {layer: decibel, top_db: -1}]}
        shards: {clips: none, dtype: float64}
        """
    )
    keys = [line.split(":")[0] for line in found]
    assert keys == [
        "audio.channels",
        "audio.durations",
        "shards.clips",
        "shards.dtype",
        "transforms[0].n_fft",
        "transforms[0].n_mel",
        "transforms[1].win_length",
        "transforms[1].f_min",
        "transforms[2].parity",
        "transforms[3].n_bins",
        "transforms[4].type",
        "transforms[5].then[0]",
        "transforms[5].then[1].top_db",
    ]


def test_the_rate_of_the_audio_is_known_to_the_transforms_even_when_the_audio_is_wrong() -> None:
    document = {"audio": {"sample_rate": 8000, "channel": 1}, "transforms": [{"type": "mel", "f_max": 5000.0}]}
    assert [line.split(":")[0] for line in faults(document)] == ["audio.channel", "transforms[0].f_max"]


def test_a_rate_that_only_the_audio_knows_is_checked_later() -> None:
    job = load_config({"transforms": [{"type": "mel", "f_max": 9000.0}, {"type": "stft"}]})
    job.check(22050)
    with pytest.raises(ConfigError, match=r"transforms\[0\].f_max: is 9000 Hz; at most 8000 Hz"):
        job.check(16000)


def test_a_long_list_of_faults_ends() -> None:
    found = faults({f"key{i}": 1 for i in range(500)})
    assert len(found) == MOST_FAULTS + 1
    assert found[-1] == "and 401 more"


# --- files


def test_a_file_that_is_no_config(tmp_path: Path) -> None:
    for content, message in [
        (b"", "is None; must be a mapping with the keys audio, transforms, shards"),
        (b"[1, 2]", "is [1, 2]; must be a mapping"),
        (b"\xff\xfe", "is not UTF-8 text (byte 0); save it as UTF-8"),
        (b"a: [", "is not YAML: while parsing a flow node"),
        (b"transforms: [{type: stft}]\ntransforms: []", "is not YAML: the key 'transforms' stands twice"),
        (b"transforms: [{type: stft, type: mel}]", "is not YAML: the key 'type' stands twice"),
        (b"transforms: !!python/object/apply:os.system [echo]", "is not YAML: could not determine a constructor"),
        (b"#" * (LARGEST_FILE + 1), f"is larger than {LARGEST_FILE} bytes"),
    ]:
        (tmp_path / "c.yaml").write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            load_config(tmp_path / "c.yaml")
        assert message in str(caught.value)
    for path in (tmp_path, tmp_path / "none.yaml", "a\0b"):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_config(path)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("transforms: [{type: stft}]", encoding="utf-8-sig")
    assert len(load_config(tmp_path / "c.yaml").transforms) == 1


# --- hostile text


def bomb(kind: str, depth: int = 12) -> str:
    """Ten times more at each level."""
    opening, item, closing = {
        "list": ("[", "{}", "]"),
        "mapping": ("{{<<: [", "{}", "]}}"),
        "pairs": ("!!pairs [", "x: {}", "]"),
    }[kind]
    first = "{k: 1}" if kind == "mapping" else "[x]"
    lines = [f"a0: &a0 {first}"]
    for level in range(1, depth):
        items = ", ".join([item.format(f"*a{level - 1}")] * 10)
        lines.append(f"a{level}: &a{level} {opening.replace('{{', '{')}{items}{closing.replace('}}', '}')}")
    return "\n".join(lines)


@pytest.mark.parametrize("kind", ["list", "mapping", "pairs"])
@pytest.mark.parametrize("inside", ["", "transforms: ", "- "])
def test_bombs_do_not_go_off(kind: str, inside: str) -> None:
    text = bomb(kind)
    if inside == "- ":
        text = "\n".join("- " + line.partition(": ")[2] for line in text.splitlines())
    elif inside:
        text += "\ntransforms: [{type: stft, n_fft: *a11, then: *a11}]"
    with at_once():
        found = faults(text)  # PyYAML 6.0.4 merges a key once, so of mappings nothing is left but their names
    assert sum(map(len, found)) < 2000


def test_a_chain_of_merges_does_not_grow_for_ever() -> None:
    chain = [f"x{i}: &x{i} {{<<: *x{i - 1}, k{i}: 1}}" for i in range(1, 1500)]
    with at_once(10):
        (message,) = faults("\n".join(["x0: &x0 {k0: 1}", *chain]))
    assert "more than 100000 keys" in message


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "transforms: &a [{type: stft, then: *a}]"])
def test_what_contains_itself_is_refused(text: str) -> None:
    assert faults(text) == ["holds an alias to something that contains it"]


def test_what_merges_itself_is_refused() -> None:
    assert faults("transforms: &a {<<: *a}")


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 50_000, "- " * 50_000], ids=["lists", "mappings", "items"])
def test_depth_is_bounded(text: str) -> None:
    assert faults(text) == ["is nested too deeply; a config has four levels"]


@pytest.mark.parametrize(
    "value",
    [
        "9" * 5000,
        "2020-13-45",
        "!!bool maybe",
        "!!timestamp soon",
        "!!int ''",
        "!!float x",
        "0x_",
        "!!binary é",
        "1e999999",
    ],
)
def test_values_that_are_not_what_they_look_like(value: str) -> None:
    (message,) = faults(f"transforms: [{{type: stft, n_fft: {value}}}]")
    assert len(message) < 400


@pytest.mark.parametrize("value", ["x" * 100_000, "0x" + "f" * 5000, "[[" + "1, " * 5000 + "]]"], ids=len)
def test_a_long_value_makes_no_long_message(value: str) -> None:
    (message,) = faults(f"transforms: [{{type: stft, n_fft: {value}}}]")
    assert len(message) < 200


def test_a_million_combinations_are_refused_by_their_size() -> None:
    entry = {"type": "stft", "n_fft": list(range(2, 1002)), "hop_length": list(range(1, 1001))}
    with at_once(0.5):
        assert faults({"transforms": [entry]}) == [
            f"transforms[0]: sweeps 1000000 combinations (1000 n_fft x 1000 hop_length); at most {MOST_TRANSFORMS} "
            "are possible, so sweep fewer values"
        ]


def test_many_sweeps_are_refused_before_they_are_made() -> None:
    entry = {"type": "stft", "n_fft": list(range(2, 1002))}
    with at_once(2):
        assert faults({"transforms": [entry] * 1000}) == ["transforms: ask for more than 1000, the most possible"]


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "stft", "n_fft": 2**22, "freq_scale": "log", "n_bins": 2**20},
        {"type": "cqt", "f_min": 1e-6, "n_bins": 1},
        {"type": "cqt", "f_min": 0.01, "bins_per_octave": 4096, "n_bins": 1000},
        {"type": "cqt", "filter_scale": 1e12, "n_bins": 1},
        {"type": "vqt", "gamma": 1e300, "n_bins": 1},
        {"type": "cqt", "n_bins": 2**16, "bins_per_octave": 2**12},
        {"type": "gammatone", "width": 1e-9, "n_bins": 1},
        {"type": "gammatonegram", "n_fft": 2**22, "n_bins": 4096},
        {"type": "mfcc", "n_mfcc": 2**40},
    ],
    ids=lambda e: "-".join(map(str, e.values())),
)
def test_absurd_sizes_are_answered_at_once(entry: dict[str, Any]) -> None:
    """With a fault, or with a job: never by trying."""
    with at_once(), suppress(ConfigError):
        load_config({"audio": {"sample_rate": 16000}, "transforms": [entry]})


# --- round trip

names = st.one_of(st.none(), st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.+=-]{0,20}\Z"))
windows = st.sampled_from(["hann", "hamming", "boxcar", ["kaiser", 8.6], ["general_hamming", 0.54], ["tukey", 1]])
layers = st.lists(
    st.sampled_from(
        [
            {"layer": "normalization", "over": "freq"},
            {"layer": "delta", "win_length": 9, "mode": "reflect"},
            {"layer": "decibel", "of": "magnitude", "top_db": 60.0, "parity": "librosa"},
            {"layer": "noise", "power": 0.2, "color": "pink"},
            {"layer": "filterbank", "n_filters": 4, "init": "random"},
        ]
    ),
    max_size=2,
)
common = {
    "name": names,
    "engine": st.sampled_from(["auto", "conv1d", "fft"]),
    "amin": st.none() | st.floats(1e-12, 1e-2),
    "ref": st.sampled_from(["max", 1.0, 0.5, 2]),
    "top_db": st.none() | st.floats(1, 200),
    "then": layers,
}
framed = {
    "n_fft": st.integers(16, 512) | st.lists(st.integers(16, 512), min_size=1, max_size=2, unique=True),
    "hop_length": st.none() | st.integers(1, 1000),
    "win_length": st.none() | st.integers(1, 16),
    "window": windows,
    "center": st.booleans(),
    "pad_mode": st.sampled_from(["reflect", "constant", "replicate"]),
}
mel = {
    **framed,
    "n_mels": st.integers(20, 40),
    "f_min": st.floats(0, 500),
    "f_max": st.none() | st.floats(600, 4000),
    "mel_scale": st.sampled_from(["slaney", "htk"]),
    "norm": st.sampled_from(["slaney", None, "none"]),
    "power": st.none() | st.floats(0.1, 4),
    "parity": st.sampled_from([None, "librosa", "torchaudio", "nnaudio"]),
}
bins = {"f_min": st.floats(20, 450), "n_bins": st.integers(1, 36)}  # all below 4 kHz
cqt = {
    "hop_length": st.integers(1, 1000),
    "filter_scale": st.floats(0.1, 2),
    "norm": st.sampled_from([1, 2, "max", None]),
    "window": windows,
    "gain": st.sampled_from(["librosa", "length", "convolutional", "wrap"]),
    "parity": st.sampled_from([None, "librosa", "nnaudio"]),
}
scales = st.sampled_from(["magnitude", "power", "decibel", "log"])
entries = st.one_of(
    st.fixed_dictionaries({"type": st.just("stft")}, optional={**common, **framed, "scale": scales}),
    st.fixed_dictionaries({"type": st.just("mel")}, optional={**common, **mel, "scale": scales}),
    st.fixed_dictionaries(
        {"type": st.just("mfcc"), "n_mfcc": st.integers(1, 20)},  # torchaudio's 40 may be more than n_mels
        optional={**common, **mel, "lifter": st.just(0.0) | st.floats(1, 30)},
    ),
    st.fixed_dictionaries({"type": st.just("cqt"), **bins}, optional={**common, **cqt, "scale": scales}),
    st.fixed_dictionaries(
        {"type": st.just("vqt"), **bins}, optional={**common, **cqt, "gamma": st.sampled_from(["erb", 0, 12.5])}
    ),
    st.fixed_dictionaries({"type": st.just("gammatone")}, optional={**common, "n_bins": st.integers(1, 40)}),
    st.fixed_dictionaries({"type": st.just("gammatonegram")}, optional={**common, **framed, "scale": scales}),
)
documents = st.fixed_dictionaries(
    {"transforms": st.lists(entries, min_size=1, max_size=3)},
    optional={
        "audio": st.fixed_dictionaries(
            {},
            optional={
                "sample_rate": st.just(8000),
                "channels": st.sampled_from(["mono", "first"]),
                "duration": st.none() | st.floats(0.1, 100),
            },
        ),
        "shards": st.fixed_dictionaries({}, optional={"clips": st.integers(1, 1000), "dtype": st.just("float16")}),
    },
)


def described(job: Job) -> dict[str, Any]:
    return job.model_dump(exclude={"keys"})


@given(documents)
@settings(max_examples=60, deadline=None)
def test_a_resolved_config_is_the_same_job(document: dict[str, Any]) -> None:
    for i, entry in enumerate(document["transforms"]):
        entry["name"] = f"t{i}-{entry.get('name') or 'x'}"
    job = parse_config(yaml.safe_dump(document))
    assert described(load_config(document)) == described(job)
    resolved = parse_config(job.to_yaml())
    assert described(resolved) == described(job)
    assert resolved.to_yaml() == job.to_yaml()


@pytest.mark.parametrize("library", ["librosa", "torchaudio", "nnaudio", "kapre"])
@pytest.mark.parametrize("given_top_db", [{}, {"top_db": None}, {"top_db": 20.0}])
@pytest.mark.parametrize("kind", ["mel", "stft"])
def test_a_resolved_config_gives_the_same_decibels(library: str, given_top_db: dict[str, Any], kind: str) -> None:
    entry = {"type": kind, "n_fft": 256, "scale": "decibel", "parity": library, **given_top_db}
    entry |= {"n_mels": 20} if kind == "mel" else {}
    job = load_config({"transforms": [entry]})
    fading = torch.randn(8000, generator=torch.Generator().manual_seed(0)) * torch.logspace(0, -8, 8000)
    first, second = (j.transforms[0].build(8000, trainable=False)(fading) for j in (job, parse_config(job.to_yaml())))
    assert torch.equal(first, second)
    span = float(first.max() - first.min())
    if given_top_db.get("top_db"):
        assert span == pytest.approx(20.0, abs=1e-4)
    elif given_top_db or library == "torchaudio":
        assert span > 40  # kapre's amin is 1e-5
        assert span != pytest.approx(80.0, abs=1e-3)
    else:
        assert span <= 80.001


def test_a_job_of_the_largest_size_can_be_read_again() -> None:
    job = load_config(
        {"transforms": [{"type": "mel", "n_fft": list(range(16, 16 + MOST_TRANSFORMS)), "window": "blackmanharris"}]}
    )
    text = job.to_yaml()
    assert len(text.encode()) <= LARGEST_FILE


# --- what we ship


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_ready_config_runs(path: Path) -> None:
    job = load_config(path)
    assert parse_config(job.to_yaml()).to_yaml() == job.to_yaml()
    sample_rate = job.audio.sample_rate
    assert sample_rate is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpecconvWarning)  # one sweep has mels that are too narrow, and says so
        transforms = TransformSet([build_transform(t, sample_rate) for t in job.transforms])
    noise = torch.randn(1, sample_rate, generator=torch.Generator().manual_seed(0)) / 4
    specgrams = transforms(noise)
    assert list(specgrams) == [t.name for t in job.transforms]
    for name, specgram in specgrams.items():
        transform = transforms.by_name[name]
        assert specgram.shape == (1, transform.n_bins, transform.n_frames(sample_rate))
        assert specgram.isfinite().all()
        assert specgram.std() > 0
        assert len(transform.center_frequencies) == transform.n_bins
