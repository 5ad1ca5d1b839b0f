"""Kills, full disks and failing writes, with real processes, signals and file systems."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from shard_makers import open_writer, write_shard

from specconv.errors import OutputError, ShardError
from specconv.shards import FailedClip, open_shard, read_entry, shard_name, shard_paths, write_ledger
from specconv.storage import FolderStore
from specconv.storage.folder import remove_leftovers, temporary_path

KILLS = 100
N_SHARDS = 6


def fingerprint(folder: Path, name: str) -> str | None:
    """What a shard was made from; None if there is no whole shard."""
    try:
        with open_shard(folder, name) as shard:
            return shard.fingerprint
    except ShardError:
        return None


def convert(folder: Path) -> None:
    """As the pipeline does: shards that are whole are passed over."""
    for number in range(N_SHARDS):
        if fingerprint(folder, shard_name(number)) != f"plan {number}":
            clips = range(40 * number, 40 * number + 40)
            write_shard(folder, number, clips, ragged=number % 2 == 0, fingerprint=f"plan {number}")
            failed = FailedClip(f"clip {number}", "decode", "broken")
            write_ledger(folder, {f"shard-{i:05d}.h5": [failed] for i in range(number + 1)})


def begin_to_convert(folder: Path) -> int:
    child = os.fork()
    if child == 0:
        convert(folder)
        os._exit(0)
    return child


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def test_what_has_its_final_name_is_whole_whenever_the_process_is_killed(tmp_path: Path) -> None:
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "killed"
    undisturbed.mkdir()
    folder.mkdir()
    start = time.perf_counter()
    os.waitpid(begin_to_convert(undisturbed), 0)
    duration = time.perf_counter() - start
    expected = contents(undisturbed)
    chance = random.Random(0)
    leftovers, finished = 0, 0
    for _ in range(KILLS):
        child = begin_to_convert(folder)
        time.sleep(chance.uniform(0, duration))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        leftovers += len(remove_leftovers(folder))
        found = contents(folder)
        ledger = found.pop("errors.jsonl", b"")
        assert all(line.endswith(b"}\n") for line in ledger.splitlines(keepends=True))
        assert all(content == expected[name] for name, content in found.items())
        if len(found) == N_SHARDS:
            finished += 1
            shutil.rmtree(folder)
            folder.mkdir()
    assert leftovers > KILLS / 10  # the kills did strike while something was being written
    assert finished > 0  # and progress survived them
    convert(folder)
    assert contents(folder) == expected
    assert remove_leftovers(folder) == []


def test_the_leftovers_of_a_living_process_or_another_host_stay(tmp_path: Path) -> None:
    mine = temporary_path(tmp_path / "shard-00000.h5")
    foreign = tmp_path / ".shard-00000.h5.deadbeef-1234567.part"
    stranger = tmp_path / ".download.part"
    child = os.fork()
    if child == 0:
        temporary_path(tmp_path / "shard-00001.h5").touch()
        temporary_path(tmp_path / "index.json").touch()
        os._exit(0)
    os.waitpid(child, 0)
    for path in (mine, foreign, stranger):
        path.touch()
    assert len(remove_leftovers(tmp_path)) == 2
    assert sorted(tmp_path.iterdir()) == sorted([mine, foreign, stranger])
    mine.unlink()
    write_shard(tmp_path, 0, range(2))  # whoever makes this shard holds the lock: what is left of it is dead
    assert sorted(path.name for path in tmp_path.iterdir()) == [".download.part", "shard-00000.h5"]


@pytest.mark.parametrize("damage", ["absent", "truncated", "foreign", "newer"])
def test_no_fingerprint_of_what_is_no_whole_shard(tmp_path: Path, damage: str) -> None:
    entry = write_shard(tmp_path, 0, range(4))
    path = tmp_path / entry.name
    assert fingerprint(tmp_path, entry.name) == "0f"
    assert read_entry(tmp_path, entry.name) == entry
    content = path.read_bytes()
    if damage == "absent":
        path.unlink()
    else:
        changed = {
            "truncated": content[:-100],
            "foreign": b"RIFF" + content,
            "newer": content.replace(b"specconv-shard", b"specconv-sha2d"),
        }
        path.write_bytes(changed[damage])
    assert fingerprint(tmp_path, entry.name) is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small file system may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def run_python(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """In a process of its own: libhdf5 dies at exit, if ever."""
    makers = Path(__file__).parent
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(makers)},
    )


FILL = """
    import sys
    from pathlib import Path
    import numpy as np
    from shard_makers import make_row, make_spec, open_writer, write_shard
    from specconv.errors import OutputError
    folder, n_frames = Path(sys.argv[1]), int(sys.argv[2])
    write_shard(folder, 0, range(4))
    try:
        with open_writer(folder / "shard-00001.h5", make_spec(n_frames=n_frames), compression=sys.argv[3]) as writer:
            for i in range(100_000):
                values = np.random.default_rng(i).standard_normal((32, 6, n_frames)).astype(np.float32)
                writer.append([make_row(i)] * 32, {"mel": values})
            writer.close()
    except OutputError as error:
        print(error)
    print(sorted(path.name for path in folder.iterdir()))
"""


@pytest.mark.parametrize(("n_frames", "compression"), [(500, "none"), (1, "none"), (500, "gzip")])
def test_a_full_disk_is_said_and_finished_shards_are_kept(small_disk: Path, n_frames: int, compression: str) -> None:
    done = run_python(FILL, small_disk, n_frames, compression)
    assert (done.returncode, done.stderr) == (0, "")
    message, names = done.stdout.splitlines()
    assert "shard-00001.h5: cannot be written: No space left on device" in message
    assert "free some space, then run the same command again: finished shards are kept" in message
    assert names == "['shard-00000.h5']"
    with open_shard(small_disk, "shard-00000.h5") as shard:
        assert shard.n_clips == 4


def test_a_limit_of_file_size_is_said() -> None:
    done = run_python(
        """
        import resource, tempfile, sys
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))
        with tempfile.TemporaryDirectory() as folder:
            sys.argv = ["", folder, 500, "none"]
        """
        + textwrap.indent(textwrap.dedent(FILL), " " * 12)
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "cannot be written: File too large; the file system or a limit (ulimit -f)" in done.stdout
    assert done.stdout.splitlines()[-1] == "['shard-00000.h5']"


BREAK = """
    import errno, sys
    from pathlib import Path
    from shard_makers import make_row, make_spec, make_values, open_writer
    from specconv.errors import OutputError
    from specconv.shards.hdf5.files import OutputFile

    folder, failure = Path(sys.argv[1]), {"OSError": OSError(errno.EIO, "x"), "KeyboardInterrupt": KeyboardInterrupt()}
    output_write, left = OutputFile._write_all, 0

    def write(self, content):
        global left
        left -= 1
        if left == 0:
            raise failure[sys.argv[2]]
        output_write(self, content)

    OutputFile._write_all = write
    survived = 0
    for after in range(1, 200):
        left = after
        try:
            with open_writer(folder / "shard-00000.h5", make_spec(n_frames=None), compression="gzip") as writer:
                for i in range(5):
                    writer.append([make_row(i, n_notes=3)], {"mel": [make_values(i, 4000)]})
                writer.close()
            break
        except (OutputError, KeyboardInterrupt) as error:
            survived += 1
            assert list(folder.iterdir()) == [], list(folder.iterdir())
    print(survived)
"""


@pytest.mark.parametrize("failure", ["OSError", "KeyboardInterrupt"])
def test_whichever_write_fails_nothing_is_left_and_nothing_crashes(tmp_path: Path, failure: str) -> None:
    done = run_python(BREAK, tmp_path, failure)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 10


LEAVE_OPEN = """
    import ctypes, sys
    from pathlib import Path
    from shard_makers import open_writer, write_folder
    from specconv.shards import ShardDataset, open_shard
    folder = write_folder(Path(sys.argv[1]) / "out")
    data = ShardDataset(folder, "mel")
    data[0]
    specgrams = open_shard(folder, "shard-00002.h5").specgrams("mel")
    writer = open_writer(folder / "shard-00003.h5")
    for thing in (data, specgrams, writer):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))  # never collected, as in a worker that is told to stop
"""


def test_a_process_may_end_with_shards_open(tmp_path: Path) -> None:
    done = run_python(LEAVE_OPEN, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(shard_paths(tmp_path / "out")) == 3


def test_a_forked_child_leaves_an_open_shard_to_its_parent(tmp_path: Path) -> None:
    done = run_python(
        """
        import os, sys
        from pathlib import Path
        from shard_makers import make_row, make_values, open_writer, write_shard
        folder = Path(sys.argv[1])
        writer = open_writer(folder / "shard-00000.h5")
        writer.append([make_row(0, n_notes=0)], {"mel": [make_values(0, 5)]})
        (temporary,) = folder.iterdir()
        before = temporary.read_bytes()
        for leave in (lambda: None, lambda: writer.__exit__(None, None, None)):
            if os.fork() == 0:
                leave()
                sys.exit(0)  # closes what HDF5 has open
            os.wait()
            assert temporary.read_bytes() == before
        writer.append([make_row(1, n_notes=1)], {"mel": [make_values(1, 5)]})
        entry = writer.close()
        (folder / "expected").mkdir()
        assert write_shard(folder / "expected", 0, range(2)) == entry
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("number", "cure"),
    [(errno.ENOSPC, "B free"), (errno.EIO, "the disk fails"), (errno.EROFS, "mounted read-only")],
)
def test_a_failing_flush_is_a_failing_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, cure: str
) -> None:
    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError, match=cure):
        write_shard(tmp_path, 0, range(4))
    with pytest.raises(OutputError, match=cure):
        FolderStore(tmp_path).put("index.json", b"{}")
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_flushed_before_it_has_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def logged_fsync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink()
        events.append("flush folder" if name == tmp_path else f"flush {name.suffix}")
        fsync(descriptor)

    def logged_replace(self: Path, target: Path) -> Path:
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", logged_fsync)
    monkeypatch.setattr(Path, "replace", logged_replace)
    write_shard(tmp_path, 0, range(4))
    FolderStore(tmp_path).put("index.json", b"{}")
    assert events == ["flush .part", "rename", "flush folder"] * 2


def test_a_folder_that_is_gone_or_a_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the folder is gone"):
        open_writer(tmp_path / "gone" / "shard-00000.h5")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="a file stands where a folder should be"):
        open_writer(tmp_path / "file" / "shard-00000.h5")
    folder = tmp_path / "vanishes"
    folder.mkdir()
    with open_writer(folder / "shard-00000.h5") as writer:
        shutil.rmtree(folder)
        with pytest.raises(OutputError, match="the folder is gone"):
            writer.close()
    assert shard_paths(tmp_path) == []
