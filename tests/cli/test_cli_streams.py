"""What is only said decides nothing: streams that are full, closed or gone, in processes of their own."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from specconv.shards import read_index

SCRIPT = "from specconv.cli import main; main()"
BROKEN = {
    "stderr on a full disk": "2>/dev/full",
    "stderr closed": "2>&-",
    "both on a full disk": ">/dev/full 2>&1",
    "both closed": ">&- 2>&-",
    "all three closed": "<&- >&- 2>&-",
}


def shell(redirection: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = f'exec "$0" "$@" {redirection}'
    words = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    return subprocess.run(["bash", "-c", command, *words], capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("redirection", BROKEN.values(), ids=BROKEN)
def test_a_conversion_does_not_need_its_streams(redirection: str, tones: Path, mel: Path, tmp_path: Path) -> None:
    done = shell(redirection, "convert", tones, "--config", mel, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    index = read_index(tmp_path / "out")
    assert index is not None
    assert index.clips == 5
    assert shell(redirection, "convert", "/nowhere", "--config", mel, "--out", tmp_path / "no").returncode == 2


def test_a_pipe_without_reader_is_no_fault(tones: Path, mel: Path, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-c", SCRIPT, "convert", tones, "--config", mel, "--out", tmp_path / "out"]
    assert subprocess.run(words, stdout=writer, stderr=writer, timeout=100).returncode == 0
    os.close(writer)
    assert read_index(tmp_path / "out") is not None


def test_a_failed_clip_keeps_its_status(tones: Path, mel: Path, tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "a.wav").symlink_to(tones / "low" / "a.wav")
    (tmp_path / "audio" / "b.wav").write_text("not audio")
    for i, redirection in enumerate(BROKEN.values()):
        out = tmp_path / f"out-{i}"
        assert shell(redirection, "convert", tmp_path / "audio", "--config", mel, "--out", out).returncode == 1


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_results_come_without_stderr(redirection: str, shards: Path, mel: Path, tones: Path) -> None:
    assert json.loads(shell(redirection, "info", shards, "--json", "-").stdout)["clips"] == 5
    assert json.loads(shell(redirection, "verify", shards, "--recompute", 1, "--json", "-").stdout)["faults"] == []
    assert len(json.loads(shell(redirection, "sweep", tones, "--config", mel, "--json", "-").stdout)) >= 2


def test_a_result_that_is_lost_is_a_fault(shards: Path, mel: Path, tmp_path: Path) -> None:
    for arguments in (("info", shards), ("info", mel, "--json", "-"), ("verify", shards)):
        lost = shell(">/dev/full", *arguments)
        assert lost.returncode == 1, arguments
        assert lost.stderr == "Error: the result could not be written to stdout: No space left on device\n"
    kept = shell(">/dev/full", "info", shards, "--json", tmp_path / "info.json")
    assert kept.returncode == 0, "it is in the file"
    assert json.loads((tmp_path / "info.json").read_text())["clips"] == 5
    assert shell(">&-", "info", shards).returncode == 0, "nobody asked for it"


def test_help_without_stdout_has_no_traceback() -> None:
    for redirection in (">/dev/full", ">&-"):
        assert "Traceback" not in shell(redirection, "--help").stderr


def test_a_terminal_that_goes_away_does_not_end_the_work(tones: Path, mel: Path, tmp_path: Path) -> None:
    config = tmp_path / "slow.yaml"
    config.write_text(mel.read_text().replace("clips: 2", "clips: 1"))
    child, terminal = pty.fork()
    if child == 0:
        words = ["convert", str(tones), "--config", str(config), "--out", str(tmp_path / "out")]
        os.execv(sys.executable, [sys.executable, "-c", SCRIPT, *words])
    os.read(terminal, 1)  # it has begun to speak
    os.close(terminal)  # SIGHUP, and every later write fails
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert read_index(tmp_path / "out") is not None


def test_sighup_is_ignored() -> None:
    script = f"import os, signal; from specconv.cli.interruption import interruption; interruption.install(); \
os.kill(os.getpid(), signal.{signal.SIGHUP.name}); print('alive')"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "alive\n"


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"COLUMNS": "40"}, {"TERM": "xterm"}])
def test_every_kind_of_terminal_is_served(environment: dict[str, str], tones: Path, mel: Path, tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(environment)
        words = ["convert", str(tones), "--config", str(mel), "--out", str(tmp_path / "out")]
        os.execv(sys.executable, [sys.executable, "-c", SCRIPT, *words])
    seen = b""
    while True:
        try:
            block = os.read(terminal, 4096)
        except OSError:  # Linux: the other end is closed
            break
        if not block:
            break
        seen += block
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, seen.decode()
    assert b"realtime" in seen
    if environment.get("TERM") == "dumb":
        assert b"\x1b" not in seen
