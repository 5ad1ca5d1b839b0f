"""The command line, in this process and in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from specconv.cli.app import app

Invoke = Callable[..., Result]

MEL = """
audio: {sample_rate: 16000}
transforms:
  - {type: mel, n_fft: [512, 1024], hop_length: 256, n_mels: 32, scale: decibel}
shards: {clips: 2}
"""


@pytest.fixture(scope="session")
def invoke() -> Invoke:
    """Run a command in this process: ``invoke("info", path)``."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="specconv")

    return run


def start(*arguments: object, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start ``specconv`` in a process of its own, with signals as a terminal's shell leaves them."""
    return subprocess.Popen(
        [sys.executable, "-c", "from specconv.cli import main; main()", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.fixture(scope="session")
def launch() -> Callable[..., subprocess.Popen[str]]:
    return start


def write_tone(path: Path, frequency: float, seconds: float = 0.5, sample_rate: int = 16_000) -> None:
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * frequency * time), sample_rate, subtype="PCM_16")


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five clips a.wav … e.wav of 0.5 to 0.9 s in low/ and high/. Read it, never write into it."""
    root = tmp_path_factory.mktemp("tones")
    for folder, names in (("low", "abc"), ("high", "de")):
        (root / folder).mkdir()
        for name in names:
            write_tone(root / folder / f"{name}.wav", 200.0 * (ord(name) - 96), 0.5 + 0.1 * (ord(name) - 97))
    return root


@pytest.fixture(scope="session")
def mel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config of two mels, two clips a shard."""
    path = tmp_path_factory.mktemp("config") / "mel.yaml"
    path.write_text(MEL)
    return path


@pytest.fixture(scope="session")
def shards(invoke: Invoke, tones: Path, mel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tones converted. Read it, never write into it."""
    out = tmp_path_factory.mktemp("shards") / "out"
    result = invoke("convert", tones, "--config", mel, "--out", out)
    assert result.exit_code == 0, result.stderr
    return out
