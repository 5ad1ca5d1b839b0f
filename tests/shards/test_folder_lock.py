from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from specconv.errors import OutputError
from specconv.shards import FolderLock, process
from specconv.shards.process import Process

LOCK = ".specconv-convert.lock"


def write_lock(folder: Path, owner: Process, name: str = LOCK) -> None:
    (folder / name).write_text(json.dumps(asdict(owner)))


def dead() -> Process:
    """A process that ran on this host."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = process._started(child.pid)
    assert started is not None
    child.communicate(b"\n")
    return replace(Process.current(), pid=child.pid, started=started)


def test_one_run_in_a_folder(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        found = json.loads((tmp_path / LOCK).read_text())
        assert (found["host"], found["pid"]) == (socket.gethostname(), os.getpid())
        with (
            pytest.raises(OutputError, match=rf"process {os.getpid()} on {socket.gethostname()} is writing here"),
            FolderLock(tmp_path),
        ):
            pass
        assert (tmp_path / LOCK).exists()
    assert list(tmp_path.iterdir()) == []


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
def test_shares_of_a_folder(tmp_path: Path, held: str, wanted: str, excluded: bool) -> None:
    with FolderLock(tmp_path, held):
        if excluded:
            with pytest.raises(OutputError, match="is writing here"), FolderLock(tmp_path, wanted):
                pass
        else:
            with FolderLock(tmp_path, wanted):
                assert len(list(tmp_path.iterdir())) == 2
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    write_lock(tmp_path, dead())
    write_lock(tmp_path, dead(), ".specconv-convert-3-of-4.lock")
    with FolderLock(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_leaves_a_lock_that_the_next_takes_over(tmp_path: Path) -> None:
    script = "import sys, time; from pathlib import Path; from specconv.shards import FolderLock\n"
    script += "with FolderLock(Path(sys.argv[1])): print(flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    with pytest.raises(OutputError, match=f"process {child.pid} on"), FolderLock(tmp_path):
        pass
    child.send_signal(signal.SIGKILL)
    # Dead, but not yet buried: a zombie holds no lock.
    for _ in range(200):
        if not process.is_running(child.pid):
            break
        time.sleep(0.01)
    with FolderLock(tmp_path):
        pass
    child.wait()
    assert list(tmp_path.iterdir()) == []


def test_a_process_number_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    write_lock(tmp_path, replace(Process.current(), started="1"))
    with FolderLock(tmp_path):
        pass


def test_a_start_of_the_machine_ends_all_locks(tmp_path: Path) -> None:
    write_lock(tmp_path, replace(Process.current(), boot="another"))
    with FolderLock(tmp_path):
        pass


@pytest.mark.parametrize("other", [{"host": "node17"}, {"space": "pid:[1]", "started": "1"}])
def test_of_another_host_or_container_nobody_knows(tmp_path: Path, other: dict[str, str]) -> None:
    owner = replace(Process.current(), pid=2**22, **other)
    write_lock(tmp_path, owner)
    with pytest.raises(OutputError) as caught, FolderLock(tmp_path):
        pass
    assert f"process {2**22} on {owner.host} is writing here" in str(caught.value)
    assert f"If that process is surely gone, remove {tmp_path / LOCK}" in str(caught.value)
    assert json.loads((tmp_path / LOCK).read_text()) == asdict(owner)


def test_a_lock_that_names_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specconv.shards.lock._PATIENCE", 0.2)
    for content in ("", "{", "[]", '{"pid": 3}', "[" * 10**5):
        (tmp_path / LOCK).write_text(content)
        with pytest.raises(OutputError, match="does not say for whom"), FolderLock(tmp_path):
            pass
    (tmp_path / LOCK).unlink()


def test_a_takeover_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specconv.shards.lock._PATIENCE", 0.2)
    write_lock(tmp_path, dead())
    guard = tmp_path / f"{LOCK}.takeover"
    write_lock(tmp_path, Process.current(), guard.name)
    with pytest.raises(OutputError, match=r"could not be taken over; remove .*takeover"), FolderLock(tmp_path):
        pass
    guard.write_text("")
    with pytest.raises(OutputError, match=r"takeover locks the folder.*remove it"), FolderLock(tmp_path):
        pass


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("lock_is_left", [True, False])
def test_a_process_killed_while_it_took_over_is_taken_over(tmp_path: Path, depth: int, lock_is_left: bool) -> None:
    for level in range(0 if lock_is_left else 1, depth + 1):
        write_lock(tmp_path, dead(), LOCK + ".takeover" * level)
    with FolderLock(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [LOCK]
    assert list(tmp_path.iterdir()) == []


def test_where_hard_links_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuses)
    with (
        FolderLock(tmp_path),
        pytest.raises(OutputError, match="is writing here"),
        FolderLock(tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_forked_child_leaves_the_lock_to_its_parent(tmp_path: Path) -> None:
    with FolderLock(tmp_path) as lock:
        child = os.fork()
        if child == 0:
            lock.__exit__(None, None, None)
            os._exit(0)
        os.waitpid(child, 0)
        assert (tmp_path / LOCK).exists()


def test_a_folder_that_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the folder is gone"), FolderLock(tmp_path / "none"):
        pass


def test_of_many_at_once_one_gets_it(tmp_path: Path) -> None:
    """Thirty processes, and a stale lock to fight for: never two inside."""
    write_lock(tmp_path, dead())
    inside, log = tmp_path / "inside", tmp_path / "log"
    log.touch()
    children = []
    start = time.time() + 0.3
    for _ in range(30):
        child = os.fork()
        if child == 0:
            status = 0
            time.sleep(max(0, start - time.time()))
            while time.time() < start + 0.7:
                try:
                    with FolderLock(tmp_path):
                        os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
                        time.sleep(0.001)
                        inside.unlink()
                        with log.open("a") as file:
                            file.write("x")
                        if status == 0 and os.getpid() % 5 == 0:
                            os._exit(0)  # dies with the lock in its hands
                except OutputError:
                    time.sleep(0.001)
                except FileExistsError:
                    status = 1
            os._exit(status)
        children.append(child)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert statuses == [0] * 30
    assert len(log.read_text()) > 6  # every fifth owner died with it, and it was taken over
