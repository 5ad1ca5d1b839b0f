"""SIGINT and SIGTERM to real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import Result

from specconv.cli.interruption import Interruption
from specconv.shards import read_index

Invoke = Callable[..., Result]
Launch = Callable[..., "subprocess.Popen[str]"]
N_CLIPS = 40


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips that take a while: links to one of noise."""
    import soundfile

    root = tmp_path_factory.mktemp("many")
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000 * 10)
    soundfile.write(root / "clip-00.wav", noise, 16_000, subtype="PCM_16")
    for i in range(1, N_CLIPS):
        (root / f"clip-{i:02}.wav").hardlink_to(root / "clip-00.wav")
    return root


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "slow.yaml"
    path.write_text(
        "audio: {sample_rate: 16000}\n"
        "transforms: [{type: mel, n_fft: [1024, 2048], hop_length: 64, n_mels: 32}]\n"
        "shards: {clips: 1}\n"
    )
    return path


def until_first_shard(process: subprocess.Popen[str], out: Path) -> None:
    while process.poll() is None and not list(out.glob("shard-*.h5")):
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on_and_does(
    number: signal.Signals, launch: Launch, invoke: Invoke, many: Path, slow: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    request = ("convert", many, "--config", slow, "--out", out)
    process = launch(*request)
    until_first_shard(process, out)
    process.send_signal(number)
    stdout, stderr = process.communicate()
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert f"finished shards in {out} are kept; run the same command again" in stderr
    assert stdout == ""
    whole = sorted(out.glob("shard-*.h5"))
    assert 1 <= len(whole) < N_CLIPS
    names = [*(path.name for path in whole), "unfinished.json"]
    assert sorted(path.name for path in out.iterdir()) == names, "no half of a shard is left"
    times = {path: path.stat().st_mtime_ns for path in whole}
    again = invoke(*request)
    assert again.exit_code == 0
    assert f"{N_CLIPS - len(whole)} new, {len(whole)} kept" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in whole} == times
    index = read_index(out)
    assert index is not None
    assert index.clips == N_CLIPS


def test_a_second_interrupt_ends_it_at_once_without_a_traceback(
    launch: Launch, invoke: Invoke, many: Path, slow: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = launch("convert", many, "--config", slow, "--out", out)
    until_first_shard(process, out)
    process.send_signal(signal.SIGINT)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    _, stderr = process.communicate()
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert "KeyboardInterrupt" not in stderr
    for path in out.glob("shard-*.h5"):
        with h5py.File(path) as file:
            assert file.attrs["complete"]
    assert invoke("convert", many, "--config", slow, "--out", out, "--dry-run").exit_code == 0


@pytest.mark.parametrize("wait", [0.0, 0.05, 0.8])
def test_an_interrupt_before_the_work_has_no_traceback(wait: float, mel: Path, tmp_path: Path) -> None:
    script = f"""
import sys
from specconv.cli import main
from specconv.cli.interruption import interruption
install = interruption.install
interruption.install = lambda: (install(), print("ready", flush=True))
sys.argv = ["specconv", "convert", {str(tmp_path)!r}, "--config", {str(mel)!r}, "--out", "nowhere"]
main()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(wait)  # while it imports Typer, or torch
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130, stderr
    assert stderr == "\nInterrupted\n"


def test_signals_that_are_ignored_stay_so(monkeypatch: pytest.MonkeyPatch) -> None:
    set_: list[int] = []
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_IGN if number == signal.SIGINT else None)
    monkeypatch.setattr(signal, "signal", lambda number, _: set_.append(number))
    Interruption().install()
    assert set_ == [signal.SIGHUP, signal.SIGTERM]
