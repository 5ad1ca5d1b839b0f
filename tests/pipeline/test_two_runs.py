"""Two runs into one folder, as processes: one of them has it, whoever died lets it go, and parts make the whole."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import pytest
from refused_calls import NUMBERS, refuse
from separate_runs import Run, Runs, contents, until

import specconv
from specconv.errors import OutputError
from specconv.pipeline import output
from specconv.shards import shard_paths, verify

LOCK = ".specconv-convert.lock"


@pytest.fixture
def expected(clips: Path, small: Mapping[str, Any], tmp_path: Path) -> dict[str, Any]:
    """What one run alone makes."""
    specconv.convert(clips, small, tmp_path / "alone")
    return contents(tmp_path / "alone")


def state(pid: int) -> str:
    """A letter: T is stopped, Z is dead, but not yet buried."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def begun(runs: Runs, clips: Path, job: Mapping[str, Any], out: Path) -> Run:
    """A run that has stopped in the middle of its work."""
    run = runs.begin(clips, job, out, stop_at=25)
    until(lambda: state(run.pid) == "T")
    assert (out / LOCK).exists()
    assert 0 < len(shard_paths(out)) < 10
    return run


@pytest.fixture
def slow(small: Mapping[str, Any]) -> dict[str, Any]:
    """A config of which ten clips are ten shards."""
    return {**small, "shards": {"clips": 1}}


def command(clips: Path, job: Mapping[str, Any], out: Path) -> subprocess.CompletedProcess[str]:
    config = out.parent / "config.yaml"
    config.write_text(json.dumps(job))
    script = "from specconv.cli import main; main()"
    arguments = ["convert", str(clips), "--config", str(config), "--out", str(out)]
    return subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)


def test_the_second_is_refused_and_told_of_the_first(
    runs: Runs, clips: Path, slow: Mapping[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = begun(runs, clips, slow, out)
    try:
        before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
        second = command(clips, slow, out)
        whole_folder = runs.convert(clips, {**slow, "transforms": [{"type": "stft"}]}, out, overwrite=True)
        assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    finally:
        first.kill(signal.SIGCONT)
    said = f"process {first.pid} on {socket.gethostname()} is writing here; wait, or choose another --out"
    assert said in second.stderr
    assert second.returncode == 2
    assert whole_folder.said.startswith("OutputError")
    assert said in whole_folder.said
    assert first.wait().report is not None
    specconv.convert(clips, slow, tmp_path / "alone")
    assert contents(out) == contents(tmp_path / "alone")


def test_a_killed_run_is_taken_over_before_it_is_buried(
    runs: Runs, clips: Path, slow: Mapping[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = begun(runs, clips, slow, out)
    owner = json.loads((out / LOCK).read_text())
    assert (owner["pid"], owner["host"]) == (first.pid, socket.gethostname())
    first.kill()
    until(lambda: state(first.pid) == "Z")
    assert (out / LOCK).exists()
    kept = len(shard_paths(out))
    report = specconv.convert(clips, slow, out)
    assert (report.kept_shards, report.shards) == (kept, 10 - kept)
    specconv.convert(clips, slow, tmp_path / "alone")
    assert contents(out) == contents(tmp_path / "alone")
    assert first.wait().signal == signal.SIGKILL


def test_who_is_killed_while_it_takes_over_is_taken_over(
    runs: Runs, clips: Path, small: Mapping[str, Any], tmp_path: Path, expected: dict[str, Any]
) -> None:
    for event in range(1, 12):
        out = tmp_path / f"killed at {event}"
        for die_at in (8, event, event):  # the first dies at its work, its heirs as they come into their own
            assert runs.convert(clips, small, out, die_at=die_at).signal == signal.SIGKILL
        again = runs.convert(clips, small, out)
        assert again.said == ""
        assert contents(out) == expected, f"killed at {event}"


def test_a_run_of_another_host_is_not_taken_over(
    clips: Path, small: Mapping[str, Any], tmp_path: Path, expected: dict[str, Any]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    lock = {"host": "node17", "pid": 2**22}
    (out / LOCK).write_text(json.dumps(lock))
    with pytest.raises(OutputError, match=rf"process {2**22} on node17 is writing here") as raised:
        specconv.convert(clips, small, out, overwrite=True)
    assert f"If that process is surely gone, remove {out / LOCK}" in str(raised.value)
    assert [path.name for path in out.iterdir()] == [LOCK]
    (out / LOCK).unlink()
    specconv.convert(clips, small, out)
    assert contents(out) == expected


@pytest.mark.skipif(os.uname().machine not in NUMBERS, reason="system calls of this machine are not known")
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_and_links(
    runs: Runs, clips: Path, small: Mapping[str, Any], tmp_path: Path, expected: dict[str, Any], number: int
) -> None:
    refused, out = {"flock": number, "link": errno.EPERM, "linkat": errno.EPERM}, tmp_path / "out"
    killed = runs.convert(clips, small, out, refused=refused, die_at=12)
    if "can be refused here" in killed.said:
        pytest.skip(killed.said)
    assert killed.signal == signal.SIGKILL
    ended = runs.convert(clips, small, out, refused=refused)
    assert ended.said == ""
    assert [notice.partition(". ")[0] for notice in ended.notices] == [f"{out}: its file system has no file locks"]
    assert contents(out) == expected
    child = os.fork()
    if not child:
        status = 3
        try:
            refuse(refused)
            try:
                h5py.File(out / "shard-00000.h5").close()
                status = 1 if number == errno.ENOLCK else 0  # HDF5 overlooks only what some systems say
            except OSError:
                status = 0
            data = specconv.ShardDataset(out, "mel")
            status += 2 * (bool(verify(out).faults) or data[8][0].shape[0] != 16)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_where_there_are_locks_nothing_is_said_of_them(
    runs: Runs, clips: Path, small: Mapping[str, Any], tmp_path: Path
) -> None:
    assert runs.convert(clips, small, tmp_path / "out").notices == []


@pytest.mark.parametrize("n", [3, 4])
def test_parts_at_once_make_the_whole(
    runs: Runs, clips: Path, small: Mapping[str, Any], tmp_path: Path, expected: dict[str, Any], n: int
) -> None:
    out = tmp_path / "out"
    parts = [runs.begin(clips, small, out, part=(i, n)) for i in range(1, n + 1)]
    reports = [part.wait().report for part in parts]
    assert all(report is not None for report in reports)
    assert sum(report["shards"] for report in reports if report) == 3
    assert contents(out) == expected


def test_a_part_that_is_killed_is_done_again_alone(
    runs: Runs, clips: Path, slow: Mapping[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = runs.begin(clips, slow, out, part=(1, 2), die_at=20)
    second = runs.begin(clips, slow, out, part=(2, 2))
    assert first.wait().signal == signal.SIGKILL
    assert second.wait().report is not None
    assert not (out / "index.json").exists()
    again = runs.convert(clips, slow, out, part=(1, 2))
    assert again.report is not None
    specconv.convert(clips, slow, tmp_path / "alone")
    assert contents(out) == contents(tmp_path / "alone")


def test_a_part_that_ends_while_another_writes_the_ledger(
    clips: Path, small: Mapping[str, Any], tmp_path: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its failures are not lost, though the other had looked for them before they were there."""
    out, write_ledger = tmp_path / "out", output.write_ledger

    def slowly(*arguments: Any) -> None:
        monkeypatch.setattr(output, "write_ledger", write_ledger)
        specconv.convert(clips, small, out, part=(1, 2))  # which holds the file that is no audio
        write_ledger(*arguments)

    monkeypatch.setattr(output, "write_ledger", slowly)
    specconv.convert(clips, small, out, part=(2, 2))
    assert contents(out) == expected
