from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from specconv.cli.held import _natural

Invoke = Callable[..., Result]


def test_a_folder(invoke: Invoke, shards: Path) -> None:
    result = invoke("info", shards)
    assert result.exit_code == 0
    for part in ("folder", "5 (0 failed)", "3,", "mel-512", "mel-1024", "dB", "16000 Hz", "low (3), high (2)"):
        assert part in result.stdout
    assert result.stdout.index("mel-512") < result.stdout.index("mel-1024"), "small before large"


def test_a_folder_for_a_script(invoke: Invoke, shards: Path) -> None:
    values = json.loads(invoke("info", shards, "--json", "-").stdout)
    assert (values["finished"], values["clips"], values["failed"], values["shards"]) == (True, 5, 0, 3)
    assert values["hours"] == pytest.approx(3.5 / 3600)
    assert values["bytes"] == sum(path.stat().st_size for path in shards.glob("shard-*.h5"))
    assert values["labels"] == {"label": {"type": "string", "counts": {"low": 3, "high": 2}}}
    specgram = values["specgrams"][0]
    assert (specgram["name"], specgram["n_bins"], specgram["hop_length"]) == ("mel-512", 32, 256)
    assert json.loads(specgram["parameters"])["n_fft"] == 512
    assert 0 < specgram["lowest_hz"] < specgram["highest_hz"] < 8000
    assert "n_mels: 32" in values["config"]


def test_a_shard(invoke: Invoke, shards: Path) -> None:
    values = json.loads(invoke("info", shards / "shard-00002.h5", "--json", "-").stdout)
    assert (values["clips"], values["labels"]) == (1, {"label": "string"})
    assert [one["name"] for one in values["specgrams"]] == ["mel-512", "mel-1024"]
    table = invoke("info", shards / "shard-00002.h5").stdout
    assert "label (string)" in table
    assert "mel-1024" in table


def test_a_config(invoke: Invoke, mel: Path) -> None:
    values = json.loads(invoke("info", mel, "--json", "-").stdout)
    per_second = 32 * 4 * 16_000 / 256
    assert [one["bytes_per_second"] for one in values["transforms"]] == [per_second, per_second]
    assert values["bytes_per_second"] == 2 * per_second
    assert values["transforms"][0]["parameters"]["f_min"] == 0.0
    table = invoke("info", mel).stdout
    for part in ("mel-512", "62.5", "16000 Hz", "dB", "per second of audio"):
        assert part in table


def test_a_config_without_rate_says_what_it_assumes(invoke: Invoke, tmp_path: Path) -> None:
    config = tmp_path / "free.yaml"
    config.write_text("transforms: [{type: stft, scale: complex, n_fft: 512, hop_length: 512}]\n")
    values = json.loads(invoke("info", config, "--json", "-").stdout)
    assert (values["sample_rate"], values["assumed_sample_rate"]) == (None, 44_100)
    assert values["bytes_per_second"] == pytest.approx(257 * 8 * 44_100 / 512)
    assert "44100 Hz is assumed" in invoke("info", config).stdout


def test_a_config_with_faults(invoke: Invoke, tmp_path: Path) -> None:
    config = tmp_path / "bad.yaml"
    config.write_text("transforms: [{type: mel, n_mells: 3}]\n")
    result = invoke("info", config)
    assert result.exit_code == 2
    assert f"{config}: transforms[0].n_mells" in result.stderr


def test_what_is_no_shard(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("not HDF5")
    broken, empty, nothing = (invoke("info", tmp_path / name) for name in ("text.h5", ".", "nothing"))
    assert (broken.exit_code, empty.exit_code, nothing.exit_code) == (1, 1, 2)
    assert "not HDF5" in broken.stderr
    assert "holds no shards" in empty.stderr
    assert "does not exist" in nothing.stderr


def test_natural_order() -> None:
    names = ["mel-128", "cqt", "mel-64", "10a", "2b"]
    assert sorted(names, key=_natural) == ["cqt", "mel-64", "mel-128", "2b", "10a"]
