"""Full disks, and folders that cannot be written or are gone: said clearly, and nothing finished is lost.

On small file systems where the machine lets them be mounted; where it does not, writes fail by injection.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hostile_files import wav
from listening import NOTHING_TO_DO, Listening
from separate_runs import Runs, contents

import specconv
from specconv.errors import OutputError
from specconv.pipeline import Silent
from specconv.shards import shard_paths
from specconv.shards.hdf5.files import OutputFile

MIB = 2**20
WIDE = {"type": "stft", "n_fft": 2048, "hop_length": 64}
# Noise: its size is not estimated, for it is compressed, and yet it needs its 5 MiB.
JOB: Mapping[str, Any] = {
    "audio": {"sample_rate": 16000},
    "transforms": [WIDE],
    "shards": {"clips": 1, "compression": "gzip"},
}


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """Four clips, each 0.5 to 0.9 MiB of specgrams."""
    for i in range(4):
        wav(tmp_path / "audio" / f"{i}.wav", 8000 + 2000 * i)
    return tmp_path / "audio"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or mount(folder, "size=2m"):
        pytest.skip("no small file system may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def mount(folder: Path, options: str) -> int:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_too_little_space_is_said_before_anything_is_made(noise: Path, disk: Path) -> None:
    before = sum(1 for _ in disk.rglob("*"))
    with pytest.raises(OutputError, match=r"3\.08 MiB are needed, but 2 MiB are free; free some space") as raised:
        specconv.convert(noise, {**JOB, "shards": {"clips": 1}}, disk / "new" / "out")
    assert "shards.dtype: float16" in str(raised.value)
    assert sum(1 for _ in disk.rglob("*")) == before


def test_space_is_asked_for_what_is_missing_only(noise: Path, disk: Path) -> None:
    mount(disk, "remount,size=3500k")
    job = {**JOB, "shards": {"clips": 1}}
    specconv.convert(noise, job, disk / "out")
    wav(noise / "0.wav", 8001)
    (disk / "other").write_bytes(bytes(MIB // 4))
    assert specconv.convert(noise, job, disk / "out").shards == 1  # in the room of the one that it replaces


def test_a_disk_that_fills_keeps_finished_shards_and_the_same_command_goes_on(
    noise: Path, disk: Path, tmp_path: Path
) -> None:
    out = disk / "out"
    with pytest.raises(
        OutputError, match=r"shard-0000\d\.h5: cannot be written: No space left .* \(.*(MiB|KiB|bytes) free\)"
    ):
        specconv.convert(noise, JOB, out)
    finished = shard_paths(out)
    assert 1 <= len(finished) < 4
    assert sorted(out.iterdir()) == [*finished, out / "unfinished.json"]
    subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
    report = specconv.convert(noise, JOB, out)
    assert (report.shards, report.kept_shards) == (4 - len(finished), len(finished))
    specconv.convert(noise, JOB, tmp_path / "elsewhere")
    assert contents(out) == contents(tmp_path / "elsewhere")


def test_a_disk_that_fills_with_the_waiting_frames_of_a_long_recording(
    noise: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specconv.pipeline.converter.LONG_BYTES", 1)
    monkeypatch.setattr("specconv.pipeline.converter.BLOCK_BYTES", 2**16)
    wav(noise / "long.wav", 64_000)
    levels = {**WIDE, "scale": "decibel", "top_db": 60.0}
    with pytest.raises(OutputError, match="cannot be written: No space left"):
        specconv.convert(noise, {**JOB, "transforms": [levels]}, disk / "out")
    assert sorted((disk / "out").iterdir()) == [*shard_paths(disk / "out"), disk / "out" / "unfinished.json"]


def test_a_disk_that_is_full_for_the_index_alone(clips: Path, small: Mapping[str, Any], disk: Path) -> None:
    out = disk / "out"
    specconv.convert(clips, small, out)
    expected = contents(out)
    (out / "index.json").unlink()
    with (disk / "rest").open("wb", buffering=0) as rest:
        while True:
            try:
                rest.write(bytes(4096))
            except OSError:
                break
    with pytest.raises(OutputError, match="No space left"):
        specconv.convert(clips, small, out)
    (disk / "rest").unlink()
    assert specconv.convert(clips, small, out).kept_shards == 3
    assert contents(out) == expected


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.EDQUOT, "your quota is used up"),
        (errno.EIO, "the disk fails"),
        (errno.EROFS, "the file system is mounted read-only"),
        (errno.ENOSPC, "free some space"),
    ],
)
def test_a_write_that_fails_ends_the_run_while_clips_are_still_decoded(
    clips: Path, small: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, cure: str
) -> None:
    out, write = tmp_path / "out", OutputFile._write_all

    def fails(output: OutputFile, content: memoryview) -> None:
        if (out / "shard-00000.h5").exists():
            raise OSError(number, os.strerror(number))
        write(output, content)

    with monkeypatch.context() as patch:
        patch.setattr(OutputFile, "_write_all", fails)
        with pytest.raises(OutputError, match=cure) as raised:
            specconv.convert(clips, small, out)
    assert "run the same command again" in str(raised.value) or number == errno.EROFS
    assert sorted(path.name for path in out.iterdir()) == ["shard-00000.h5", "unfinished.json"]
    assert specconv.convert(clips, small, out).kept_shards == 1
    specconv.convert(clips, small, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


class Removing(Silent):
    """Removes a folder when the first clips are done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def advance(self, *, clips: int, audio_seconds: float) -> None:  # noqa: ARG002
        while self.folder.exists():  # again while files are still being made in it
            shutil.rmtree(self.folder, ignore_errors=True)


@pytest.mark.parametrize("clips_a_shard", [1, 4, 100])
def test_a_folder_that_is_removed_in_mid_run(
    clips: Path, small: Mapping[str, Any], tmp_path: Path, clips_a_shard: int
) -> None:
    job, out = {**small, "shards": {"clips": clips_a_shard}}, tmp_path / "out"
    with pytest.raises(OutputError, match=r"gone|removed"):
        specconv.convert(clips, job, out, progress=Removing(out))
    specconv.convert(clips, job, out)
    specconv.convert(clips, job, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_a_file_system_that_is_read_only(clips: Path, small: Mapping[str, Any], disk: Path) -> None:
    specconv.convert(clips, small, disk / "finished")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for out in (disk / "finished", disk / "new"):
        with pytest.raises(OutputError, match=r"Read-only file system; .* choose another --out"):
            specconv.convert(clips, small, out)


@pytest.mark.parametrize("mode", [0o555, 0o000, 0o333])
def test_a_folder_that_may_not_be_written_or_read(
    runs: Runs, clips: Path, small: Mapping[str, Any], tmp_path: Path, mode: int
) -> None:
    if os.geteuid():
        pytest.skip("only root can become somebody else")
    locked = tmp_path / "locked"
    locked.mkdir()
    for path in [clips, *clips.parents]:
        if path.stat().st_mode & 0o005 != 0o005:
            path.chmod(path.stat().st_mode | 0o055)
    locked.chmod(mode)
    for out in (locked, locked / "new"):
        ended = runs.convert(clips, small, out, user=65534)
        assert ended.said.startswith("OutputError") or (mode == 0o333 and ended.report is not None), ended
    assert list(locked.iterdir()) == [] or mode == 0o333


WRONG_PLACES: Mapping[str, str] = {
    "file": "is a file; choose another --out",
    "file/out": "a file stands where a folder should be",
    "dangling": "a broken link perhaps",
    "loop": "choose another --out|cannot be written",
    "n" * 300: "File name too long",
    "a\0b": "no folder can have this name",
    "/dev/null": "is a file; choose another --out",
    "/dev/null/out": "a file stands where a folder should be",
}


@pytest.mark.parametrize("place", WRONG_PLACES)
def test_what_is_no_folder(clips: Path, small: Mapping[str, Any], tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError, match=WRONG_PLACES[place]):
        specconv.convert(clips, small, tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_link_to_a_folder_is_that_folder(clips: Path, small: Mapping[str, Any], tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    specconv.convert(clips, small, tmp_path / "link")
    specconv.convert(clips, small, tmp_path / "whole")
    assert contents(tmp_path / "real") == contents(tmp_path / "whole")
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("where", [".", "shards", "0"])
def test_the_folder_of_the_audio_may_hold_the_shards(
    clips: Path, small: Mapping[str, Any], tmp_path: Path, where: str
) -> None:
    out, listening = clips / where, Listening()
    specconv.convert(clips, small, tmp_path / "whole")
    specconv.convert(clips, small, out)
    report = specconv.convert(clips, small, out, progress=listening)
    assert (report.shards, report.kept_shards, listening.notices) == (0, 3, [NOTHING_TO_DO])
    found = {path.name: path.read_bytes() for path in shard_paths(out)}
    assert found == {path.name: path.read_bytes() for path in shard_paths(tmp_path / "whole")}
