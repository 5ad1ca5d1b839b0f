from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import Result

from specconv.errors import OutputError
from specconv.shards import ShardDataset, read_index, shard_paths
from specconv.shards.hdf5.writer import Hdf5Writer

Invoke = Callable[..., Result]


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its size and time of change."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def damaged(tones: Path, tmp_path: Path) -> Path:
    """The tones, with two files that are no audio and one that nobody can decode."""
    root = tmp_path / "damaged"
    shutil.copytree(tones, root)
    (root / "low" / "empty.wav").touch()
    (root / "low" / "text.wav").write_text("not audio")
    (root / "low" / "foreign.aax").write_bytes(b"?")
    return root


def test_says_what_it_found_and_what_it_made(invoke: Invoke, tones: Path, mel: Path, tmp_path: Path) -> None:
    result = invoke("convert", tones, "--config", mel, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "a folder of audio" in result.stderr
    assert "5 clips" in result.stderr
    table = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert table["clips"] == "5"
    assert table["failed"] == "0"
    assert table["shards"] == "3 new, 0 kept"
    assert all(stage in table["time"] for stage in ("decode", "resample", "compute", "write"))
    assert "realtime" in table["speed"]
    assert len(ShardDataset(tmp_path / "out", "mel-512")) == 5


def test_the_second_run_keeps_all(invoke: Invoke, tones: Path, mel: Path, shards: Path) -> None:
    before = snapshot(shards)
    result = invoke("convert", tones, "--config", mel, "--out", shards)
    assert result.exit_code == 0
    assert "0 new, 3 kept" in result.stdout
    assert snapshot(shards) == before


def test_json_on_stdout_is_all_of_stdout(invoke: Invoke, tones: Path, mel: Path, tmp_path: Path) -> None:
    result = invoke("convert", tones, "--config", mel, "--out", tmp_path / "out", "--json", "-")
    values = json.loads(result.stdout)
    assert set(values) == {
        *("out", "dataset", "audio", "reason", "skipped", "device", "clips", "kept_clips", "failed", "failures"),
        *("audio_seconds", "shards", "kept_shards", "bytes", "wall_seconds", "seconds", "times_realtime"),
        "float16_underflow",
    }
    assert values["clips"] == 5
    assert values["dataset"] == "folder"
    assert values["failures"] == []
    assert values["audio_seconds"] == pytest.approx(0.5 + 0.6 + 0.7 + 0.8 + 0.9)
    assert set(values["seconds"]) == {"decode", "resample", "compute", "write"}
    assert values["bytes"] == sum(path.stat().st_size for path in (tmp_path / "out").glob("shard-*.h5"))


def test_json_into_a_file_leaves_the_table(invoke: Invoke, tones: Path, mel: Path, tmp_path: Path) -> None:
    result = invoke("convert", tones, "--config", mel, "--out", tmp_path / "out", "--json", tmp_path / "report.json")
    assert result.exit_code == 0
    assert "5" in result.stdout
    assert json.loads((tmp_path / "report.json").read_text())["clips"] == 5


def test_json_into_no_folder_is_refused_before_any_work(invoke: Invoke, tones: Path, mel: Path, tmp_path: Path) -> None:
    result = invoke("convert", tones, "--config", mel, "--out", tmp_path / "out", "--json", tmp_path / "no" / "r.json")
    assert result.exit_code == 2
    assert "is no folder" in result.stderr
    assert not (tmp_path / "out").exists()


def test_failed_clips_are_counted_named_and_the_rest_done(
    invoke: Invoke, damaged: Path, mel: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = invoke("convert", damaged, "--config", mel, "--out", out, "--json", tmp_path / "report.json")
    assert result.exit_code == 1
    assert "2 clips could not be converted" in result.stderr
    assert "low/empty.wav" in result.stderr
    assert str(out / "errors.jsonl") in result.stderr
    assert "Skipped 1" in result.stderr
    assert "foreign.aax" in result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["clips"], report["failed"], report["skipped"]) == (5, 2, 1)
    assert [set(failure) for failure in report["failures"]] == [{"path", "stage", "reason"}] * 2
    assert len((out / "errors.jsonl").read_text().splitlines()) == 2
    again = invoke("convert", damaged, "--config", mel, "--out", out)
    assert again.exit_code == 1, "the clips are still missing"


def test_strict_stops_at_the_first_failure(invoke: Invoke, damaged: Path, mel: Path, tmp_path: Path) -> None:
    result = invoke("convert", damaged, "--config", mel, "--out", tmp_path / "out", "--strict")
    assert result.exit_code == 1
    assert "low/empty.wav" in result.stderr
    assert "--strict" in result.stderr
    assert "finished shards" in result.stderr
    assert read_index(tmp_path / "out") is None


def test_a_dry_run_counts_and_touches_nothing(invoke: Invoke, tones: Path, mel: Path, tmp_path: Path) -> None:
    before = snapshot(tones)
    result = invoke("convert", tones, "--config", mel, "--out", tmp_path / "out", "--dry-run", "--json", "-")
    assert result.exit_code == 0
    values = json.loads(result.stdout)
    assert (values["clips"], values["shards"]) == (5, 3)
    assert values["audio_seconds"] == pytest.approx(3.5)
    assert not (tmp_path / "out").exists()
    assert snapshot(tones) == before
    assert invoke("convert", tones, "--config", mel, "--out", tmp_path / "out").exit_code == 0
    stored = sum(path.stat().st_size for path in shard_paths(tmp_path / "out"))
    assert values["bytes"] < stored < 1.05 * values["bytes"]  # labels and chunk indices beside the values


def test_a_dry_run_for_a_reader(invoke: Invoke, tones: Path, mel: Path, tmp_path: Path) -> None:
    result = invoke("convert", tones, "--config", mel, "--out", tmp_path / "out", "--dry-run")
    assert result.exit_code == 0
    table = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert table["clips"] == "5"
    assert table["audio"] == "3.5 s"
    assert table["shards"] == "3"
    assert table["size"] == "1.5 MiB before compression"


def test_parts_together_are_the_whole(invoke: Invoke, tones: Path, mel: Path, shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = invoke("convert", tones, "--config", mel, "--out", out, "--part", "1/2")
    assert first.exit_code == 0
    assert "last part" in first.stderr
    assert read_index(out) is None
    second = invoke("convert", tones, "--config", mel, "--out", out, "--part", "2/2")
    assert second.exit_code == 0
    assert "last part" not in second.stderr
    whole, parts = read_index(shards), read_index(out)
    assert whole is not None
    assert parts is not None
    assert parts.shards == whole.shards


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2"])
def test_a_share_that_is_none_is_refused(part: str, invoke: Invoke, tones: Path, mel: Path, tmp_path: Path) -> None:
    result = invoke("convert", tones, "--config", mel, "--out", tmp_path / "out", f"--part={part}")
    assert result.exit_code == 2
    assert "--part" in result.stderr
    assert "2/4" in result.stderr


def test_clusters_come_later(invoke: Invoke, tones: Path, mel: Path, tmp_path: Path) -> None:
    result = invoke("convert", tones, "--config", mel, "--out", tmp_path / "out", "--on", "ray:head:6379")
    assert result.exit_code == 2
    assert "later" in result.stderr
    assert not (tmp_path / "out").exists()


def test_another_configs_shards_are_refused_unless_overwritten(
    invoke: Invoke, tones: Path, mel: Path, shards: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "out", tmp_path / "other.yaml"
    shutil.copytree(shards, out)
    other.write_text(mel.read_text().replace("256", "128"))
    before = snapshot(out)
    refused = invoke("convert", tones, "--config", other, "--out", out)
    assert refused.exit_code == 2
    assert "another config" in refused.stderr
    assert "--overwrite" in refused.stderr
    assert snapshot(out) == before
    assert invoke("convert", tones, "--config", other, "--out", out, "--overwrite").exit_code == 0
    assert ShardDataset(out, "mel-512").hop_length == 128


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"audio": "nowhere"}, "no such folder"),
        ({"audio": "mel.yaml"}, "a file, not a folder"),
        ({"--config": "nothing.yaml"}, "cannot be read"),
        ({"--out": "mel.yaml"}, "is a file"),
        ({"--dataset": "map"}, "did you mean maps?"),
        ({"--device": "tpu"}, "none of auto, cpu"),
        ({"--device": "cuda:99"}, "CUDA devices"),
        ({"--workers": "0"}, "--workers"),
        ({"--workers": "many"}, "--workers"),
        ({"--colour": "red"}, "--colour"),
    ],
)
def test_wrong_requests_touch_nothing(
    change: dict[str, str], said: str, invoke: Invoke, tones: Path, mel: Path, tmp_path: Path
) -> None:
    shutil.copy(mel, tmp_path / "mel.yaml")
    here = {
        name: str(tmp_path / value) if "." in value or value == "nowhere" else value for name, value in change.items()
    }
    given = {"audio": str(tones), "--config": str(mel), "--out": str(tmp_path / "out"), **here}
    options = [word for name, value in given.items() if name != "audio" for word in (name, value)]
    before = snapshot(tmp_path)
    result = invoke("convert", given["audio"], *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert snapshot(tmp_path) == before


def test_all_faults_of_a_config_stand_under_one_head(invoke: Invoke, tones: Path, tmp_path: Path) -> None:
    config = tmp_path / "bad.yaml"
    config.write_text(
        """
audio: {sample_rate: 16000, channels: stereo}
transforms:
  - {type: mel, f_max: 12000}
  - {type: stft, hop_length: 0, n_ftt: 512}
shards: {clips: 0}
"""
    )
    result = invoke("convert", tones, "--config", config, "--out", tmp_path / "out")
    head, *faults = result.stderr.splitlines()
    assert result.exit_code == 2
    assert head == f"Error: {config}: {len(faults)} faults"
    assert all(fault.startswith("  ") for fault in faults)
    for key in (
        "audio.channels",
        "transforms[0].f_max",
        "transforms[1].hop_length",
        "transforms[1].n_ftt",
        "shards.clips",
    ):
        assert any(fault.startswith(f"  {key}: ") for fault in faults), key


def test_a_single_fault_is_one_line(invoke: Invoke, tones: Path, tmp_path: Path) -> None:
    config = tmp_path / "bad.yaml"
    config.write_text("audio: {sample_rate: 16000}\ntransforms: [{type: mel, f_max: 12000}]\n")
    result = invoke("convert", tones, "--config", config, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {config}: transforms[0].f_max: ")
    assert "12000 Hz" in result.stderr
    assert "8000 Hz" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_disk_that_fails_in_mid_run_is_no_wrong_request(
    invoke: Invoke, tones: Path, mel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def close(_: Hdf5Writer) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr(Hdf5Writer, "close", close)
    result = invoke("convert", tones, "--config", mel, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "Error: the disk is full" in result.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [(OSError(28, "No space left on device"), "No space left on device"), (MemoryError(), "out of memory")],
)
def test_what_the_machine_lacks_is_no_bug(
    error: Exception,
    said: str,
    invoke: Invoke,
    tones: Path,
    mel: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def append(_: Hdf5Writer, *__: object) -> None:
        raise error

    monkeypatch.setattr(Hdf5Writer, "append", append)
    result = invoke("convert", tones, "--config", mel, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert said in result.stderr
    assert "report" not in result.stderr


def test_file_names_that_move_the_cursor_are_told_harmlessly(
    invoke: Invoke, tones: Path, mel: Path, tmp_path: Path
) -> None:
    root = tmp_path / "odd"
    shutil.copytree(tones, root)
    (root / "evil\x1b[2J\n.wav").touch()
    (root / "evil\x1b[2J\n.m4a").touch()
    result = invoke("convert", root, "--config", mel, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert r"evil\x1b[2J\n.wav" in result.stderr
    assert r"evil\x1b[2J\n.m4a" in result.stderr


def test_values_too_small_for_float16_are_reported(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    soundfile.write(tmp_path / "audio/quiet.wav", 1e-3 * np.sin(np.arange(16000)), 16000, subtype="FLOAT")
    config = tmp_path / "config.yaml"
    config.write_text("transforms: [{type: mel, scale: power}]\nshards: {dtype: float16}\n")
    cure = "too small for float16; use scale: decibel or log, or shards.dtype: float32"
    result = invoke("convert", tmp_path / "audio", "--config", config, "--out", tmp_path / "out")
    assert cure in " ".join(result.stdout.split())
    for where in (tmp_path / "out", tmp_path / "out/shard-00000.h5"):
        assert cure in " ".join(invoke("info", where).stdout.split())
        (specgram,) = json.loads(invoke("info", where, "--json", "-").stdout)["specgrams"]
        assert specgram["float16_underflow"] > 0.5
