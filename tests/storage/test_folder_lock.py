"""One writer in a folder at a time: what filelock must hold for specconv, and what specconv adds to it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from specconv.errors import OutputError
from specconv.storage.lock import FolderLock

NOTE = ".specconv-convert.lock"
HOST = socket.gethostname()


def write_note(folder: Path, host: str, pid: int, name: str = NOTE) -> None:
    (folder / name).write_text(json.dumps({"host": host, "pid": pid}))


@pytest.fixture(params=["locks of the file system", "no locks"])
def any_file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no locks":

        def refuse(*_: object) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("any_file_system")
def test_one_writer_in_a_folder(tmp_path: Path) -> None:
    with FolderLock(tmp_path, "convert"):
        assert json.loads((tmp_path / NOTE).read_text()) == {"host": HOST, "pid": os.getpid()}
        with (
            pytest.raises(OutputError, match=rf"process {os.getpid()} on {HOST} is writing here; wait, or choose"),
            FolderLock(tmp_path, "convert"),
        ):
            pass
        assert (tmp_path / NOTE).exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("any_file_system")
@pytest.mark.parametrize(
    ("held", "wanted", "excluded"),
    [
        ("convert", "convert-1-of-4", True),
        ("convert-1-of-4", "convert", True),
        ("convert-1-of-4", "convert-2-of-4", False),
        ("convert-1-of-4", "convert-1-of-40", False),
        ("convert-1-of-4", "convert-1-of-4", True),
    ],
)
def test_parts_of_a_folder(tmp_path: Path, held: str, wanted: str, excluded: bool) -> None:
    with FolderLock(tmp_path, held):
        before = sorted(tmp_path.iterdir())
        if excluded:
            with (
                pytest.raises(OutputError, match=f"process {os.getpid()} on"),
                FolderLock(tmp_path, wanted),
            ):
                pass
        else:
            with FolderLock(tmp_path, wanted):
                assert len(list(tmp_path.iterdir())) == 2 * len(before)
        assert sorted(tmp_path.iterdir()) == before
    assert list(tmp_path.iterdir()) == []


HOLD = """
import sys, time
from pathlib import Path
from specconv.storage.lock import FolderLock
with FolderLock(Path(sys.argv[1]), sys.argv[2]):
    print(flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("name", ["convert", "convert-3-of-4"])
def test_the_lock_of_a_killed_process_is_free(tmp_path: Path, name: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path), name], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    with pytest.raises(OutputError, match=f"process {child.pid} on"), FolderLock(tmp_path, "convert"):
        pass
    child.send_signal(signal.SIGKILL)
    child.stdout.read()  # it has ended; its parent has not asked for its status yet
    assert len(list(tmp_path.iterdir())) == 2
    with FolderLock(tmp_path, "convert"):
        assert json.loads((tmp_path / NOTE).read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []
    child.wait()


def test_without_locks_of_the_file_system_a_dead_process_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specconv.storage.lock.has_file_locks", lambda _: False)
    child = os.fork()
    if child == 0:
        FolderLock(tmp_path, "convert").__enter__()
        os._exit(0)
    os.waitpid(child, 0)
    assert json.loads((tmp_path / NOTE).read_text())["pid"] == child
    with FolderLock(tmp_path, "convert"):
        assert json.loads((tmp_path / NOTE).read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_the_note_of_another_host_is_believed(tmp_path: Path) -> None:
    """Whether it lives nobody can know from here, and its file system may keep the locks of each host apart."""
    write_note(tmp_path, "node17", 2**22)
    with pytest.raises(OutputError) as caught, FolderLock(tmp_path, "convert-1-of-4"):
        pass
    assert f"process {2**22} on node17 is writing here" in str(caught.value)
    assert str(caught.value).endswith(f"If that process is surely gone, remove {tmp_path / NOTE}")
    assert json.loads((tmp_path / NOTE).read_text()) == {"host": "node17", "pid": 2**22}
    (tmp_path / NOTE).unlink()
    with FolderLock(tmp_path, "convert"):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 3}', '{"host": "a", "pid": "b"}', "[" * 10**5])
def test_a_note_that_names_nobody_excludes_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / NOTE).write_text(content)
    with FolderLock(tmp_path, "convert"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_forked_child_leaves_the_lock_to_its_parent(tmp_path: Path) -> None:
    with FolderLock(tmp_path, "convert") as lock:
        child = os.fork()
        if child == 0:
            lock.__exit__(None, None, None)
            os._exit(0)
        os.waitpid(child, 0)
        assert (tmp_path / NOTE).exists()
        with pytest.raises(OutputError, match="is writing here"), FolderLock(tmp_path, "convert"):
            pass


def test_a_folder_that_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the folder is gone"), FolderLock(tmp_path / "none", "convert"):
        pass


def test_of_many_at_once_one_gets_it(tmp_path: Path) -> None:
    """Thirty processes, of which every fifth dies with the lock: never two inside."""
    inside, log = tmp_path / "inside", tmp_path / "log"
    log.touch()
    children = []
    start = time.time() + 0.3
    for _ in range(30):
        child = os.fork()
        if child == 0:
            status = 0
            time.sleep(max(0, start - time.time()))
            while time.time() < start + 1.5:
                try:
                    with FolderLock(tmp_path, "convert"):
                        os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
                        time.sleep(0.001)
                        inside.unlink()
                        with log.open("a") as file:
                            file.write("x")
                        if os.getpid() % 5 == 0:
                            os._exit(0)
                except OutputError:
                    time.sleep(0.001)
                except FileExistsError:
                    status = 1
                    break
            os._exit(status)
        children.append(child)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert statuses == [0] * 30
    assert len(log.read_text()) > 6
