"""Killed at any moment, and taken up by the same command: with real processes and real signals."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hostile_files import samples
from separate_runs import Runs, contents, until

import specconv
from specconv.errors import AudioError
from specconv.shards import open_shard, shard_paths
from specconv.shards.hdf5.writer import Hdf5Writer

KILLS = 12
# Clips of a second are long and go in blocks, and what waits for their maximum goes through files without a name.
STREAMED = {"specconv.pipeline.converter.LONG_BYTES": 1, "specconv.pipeline.converter.BLOCK_BYTES": 2**14}
LEVELS = {"type": "mel", "n_fft": 512, "n_mels": 16, "scale": "decibel", "top_db": 60.0}


@pytest.mark.parametrize("constants", [{}, STREAMED], ids=["in memory", "streamed"])
def test_killed_before_every_change_of_the_folder(
    runs: Runs, clips: Path, small: Mapping[str, Any], tmp_path: Path, constants: dict[str, int]
) -> None:
    job = {**small, "transforms": [LEVELS]}
    whole = runs.convert(clips, job, tmp_path / "whole", constants=constants)
    assert whole.said == ""
    expected = contents(tmp_path / "whole")
    assert set(expected) == {"index.json", "errors.jsonl", *(f"shard-0000{i}.h5" for i in range(3))}
    assert whole.events > 20
    for event in range(1, whole.events + 1):
        out = tmp_path / f"killed at {event}"
        assert runs.convert(clips, job, out, constants=constants, die_at=event).signal == signal.SIGKILL
        finished = {path.name: path.stat().st_mtime_ns for path in shard_paths(out)} if out.exists() else {}
        for name in finished:
            assert (out / name).read_bytes() == expected[name]
        again = runs.convert(clips, job, out, constants=constants)
        assert again.report is not None, again.said
        assert again.report["kept_shards"] == len(finished)
        assert again.report["shards"] == 3 - len(finished)
        assert contents(out) == expected, f"killed at {event}"
        assert {name: (out / name).stat().st_mtime_ns for name in finished} == finished


def test_killed_at_random_moments(runs: Runs, clips: Path, small: Mapping[str, Any], tmp_path: Path) -> None:
    runs.convert(clips, small, tmp_path / "whole")
    started = time.monotonic()
    runs.convert(clips, small, tmp_path / "timed")
    duration = time.monotonic() - started
    expected, out = contents(tmp_path / "whole"), tmp_path / "out"
    chance, killed = random.Random(5), 0
    for attempt in range(KILLS):
        run = runs.begin(clips, small, out)
        time.sleep(chance.uniform(0, duration))
        run.kill()
        killed += run.wait().signal == signal.SIGKILL
        for path in shard_paths(out) if out.exists() else []:
            assert path.read_bytes() == expected[path.name]
        if (out / "index.json").exists():
            assert {name: value for name, value in contents(out).items() if name[0] != "."} == expected
            out.rename(tmp_path / f"finished {attempt}")
    assert killed > 0
    assert runs.convert(clips, small, out).said == ""
    assert contents(out) == expected


@pytest.mark.parametrize("after", [0.0, 0.05, 0.2])
def test_an_interrupt_leaves_whole_shards_and_nothing_else(
    runs: Runs, clips: Path, small: Mapping[str, Any], tmp_path: Path, after: float
) -> None:
    out = tmp_path / "out"
    run = runs.begin(clips, {**small, "shards": {"clips": 1}}, out)
    until(lambda: out.exists() and list(out.iterdir()))
    time.sleep(after)
    run.kill(signal.SIGINT)
    ended = run.wait()
    assert ended.said.startswith("KeyboardInterrupt") or ended.report is not None
    finished = shard_paths(out)
    if ended.report is None:
        assert {*out.iterdir()} - {out / "unfinished.json"} == {*finished}
    for path in finished:
        with open_shard(path.parent, path.name) as shard:
            assert shard.n_clips + len(shard.failures) == 1
    assert runs.convert(clips, {**small, "shards": {"clips": 1}}, out).said == ""
    runs.convert(clips, {**small, "shards": {"clips": 1}}, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_a_killed_overwrite_goes_on_where_it_was(
    runs: Runs, clips: Path, small: Mapping[str, Any], tmp_path: Path
) -> None:
    out, other = tmp_path / "out", {**small, "transforms": [LEVELS]}
    runs.convert(clips, small, out)
    before = {path: path.read_bytes() for path in shard_paths(out)}
    run = runs.begin(clips, other, out, overwrite=True)
    until(lambda: any(path.exists() and path.read_bytes() != before[path] for path in before))
    run.kill()
    run.wait()
    finished = shard_paths(out)
    again = runs.convert(clips, other, out, overwrite=True)
    assert again.report is not None
    assert again.report["kept_shards"] == len(finished) > 0
    runs.convert(clips, other, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.parametrize("error", [MemoryError("no more"), ValueError("a bug"), RuntimeError("another")])
def test_a_shard_that_lacks_a_window_is_never_closed(
    clips: Path, small: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("specconv.pipeline.shard.WINDOW_CLIPS", 2)  # two windows a shard
    calls, append = [0], Hdf5Writer.append

    def fails_once(writer: Hdf5Writer, *arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] == 4:  # the second window of the second shard
            raise error
        return append(writer, *arguments)

    monkeypatch.setattr(Hdf5Writer, "append", fails_once)
    out = tmp_path / "out"
    with pytest.raises(type(error), match=str(error)):
        specconv.convert(clips, small, out)
    assert sorted(path.name for path in out.iterdir()) == ["shard-00000.h5", "unfinished.json"]
    assert specconv.convert(clips, small, out).kept_shards == 1
    specconv.convert(clips, small, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_strict_stops_at_a_failure_of_any_stage(clips: Path, small: Mapping[str, Any], tmp_path: Path) -> None:
    (clips / "bad.wav").unlink()
    loud = {**small, "transforms": [{"type": "stft", "n_fft": 512, "scale": "power"}]}
    loud["shards"] = {"clips": 4, "dtype": "float16"}
    samples(clips / "5 loud.wav", [1000.0] * 8000)
    with pytest.raises(AudioError, match=r"5 loud\.wav: write: .*float16 holds no more"):
        specconv.convert(clips, loud, tmp_path / "out", strict=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["shard-00000.h5", "unfinished.json"]
