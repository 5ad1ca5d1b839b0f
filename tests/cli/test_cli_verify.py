from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Invoke = Callable[..., Result]


@pytest.fixture
def copy(shards: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out"
    shutil.copytree(shards, out)
    return out


def test_a_whole_folder(invoke: Invoke, shards: Path) -> None:
    result = invoke("verify", shards)
    assert result.exit_code == 0
    assert "none" in result.stdout
    values = json.loads(invoke("verify", shards, "--json", "-").stdout)
    assert (values["shards"], values["clips"], values["faults"]) == (3, 5, [])


def test_one_flipped_bit_is_found_and_its_shard_named(invoke: Invoke, copy: Path) -> None:
    path = copy / "shard-00001.h5"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    result = invoke("verify", copy, "--recompute", "5", "--json", "-")
    assert result.exit_code == 1
    values = json.loads(result.stdout)
    assert [fault["where"] for fault in values["faults"]] == ["shard-00001.h5"]
    assert "recomputed" not in values, "what is known to be wrong is not computed again"
    assert "shard-00001.h5: its bytes have changed" in invoke("verify", copy).stdout


def test_recomputed_clips_agree(invoke: Invoke, shards: Path) -> None:
    result = invoke("verify", shards, "--recompute", "3", "--json", "-")
    assert result.exit_code == 0
    values = json.loads(result.stdout)
    assert values["recomputed"]["clips"] == 3
    assert values["recomputed"]["largest_difference"] <= 1e-5


def test_moved_audio_is_asked_for(invoke: Invoke, tones: Path, mel: Path, tmp_path: Path) -> None:
    audio, moved, out = tmp_path / "audio", tmp_path / "moved", tmp_path / "out"
    shutil.copytree(tones, audio)
    assert invoke("convert", audio, "--config", mel, "--out", out).exit_code == 0
    audio.rename(moved)
    lost = invoke("verify", out, "--recompute", "2")
    assert lost.exit_code == 2
    assert "--audio" in lost.stderr
    assert invoke("verify", out, "--recompute", "2", "--audio", moved).exit_code == 0


def test_no_folder(invoke: Invoke, tmp_path: Path) -> None:
    assert invoke("verify", tmp_path / "nothing").exit_code == 2
    assert invoke("verify", tmp_path).exit_code == 1, "an unfinished folder is a fault"
