"""Errors as sentences, tracebacks hidden, help at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import specconv
from specconv.cli.edge import listed, phrase, status_of
from specconv.errors import (
    AudioError,
    ConfigError,
    DatasetError,
    Fault,
    OutputError,
    ParameterError,
    ShardError,
)

Invoke = Callable[..., Result]
Launch = Callable[..., "subprocess.Popen[str]"]
HEAVY = ("torch", "numpy", "scipy", "matplotlib", "h5py", "yaml", "soundfile", "specconv.config", "specconv.parameters")


@pytest.mark.parametrize("arguments", [["--help"], ["convert", "--help"], ["--version"], ["convert"], ["--nope"]])
def test_help_and_usage_import_nothing_heavy(arguments: list[str]) -> None:
    script = f"""
import atexit, sys
atexit.register(lambda: print("loaded:", *(name for name in {HEAVY!r} if name in sys.modules)))
sys.argv = ["specconv", *{arguments!r}]
from specconv.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1].strip() == "loaded:"
    assert "Traceback" not in done.stderr


def test_the_first_help_does_not_even_import_pydantic() -> None:
    script = """
import sys
from specconv.cli.app import app
try:
    app(["--help"])
finally:
    print("pydantic" in sys.modules, "rich" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False False"


@pytest.mark.parametrize("command", ["convert", "sweep", "bench", "verify", "info", "plot", "demo"])
def test_every_command_has_help(command: str, invoke: Invoke) -> None:
    result = invoke(command, "-h")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: specconv {command}")


def test_no_command_shows_the_commands(invoke: Invoke) -> None:
    result = invoke()
    assert result.exit_code == 2
    assert "convert" in result.output


def test_version(invoke: Invoke) -> None:
    assert invoke("--version").stdout == f"specconv {specconv.__version__}\n"


def test_statuses() -> None:
    for wrong in (
        ParameterError("x"),
        ConfigError("x"),
        DatasetError("x"),
        OutputError("x"),
        AudioError("p", "s", "r"),
    ):
        assert status_of(wrong) == 2
    assert status_of(ShardError("x")) == 1
    assert status_of(ValueError("x")) == 1


def test_faults_are_listed_one_a_line() -> None:
    one, two = Fault("a", "wrong"), Fault("b[1].c", "worse")
    assert listed("f.yaml", [one]) == "f.yaml: a: wrong"
    assert listed("f.yaml", [one, two]) == "f.yaml: 2 faults\n  a: wrong\n  b[1].c: worse"
    assert listed("f.yaml", [Fault("", "f.yaml: cannot be read")]) == "f.yaml: cannot be read"
    assert phrase(ParameterError([one, two])) == "2 faults\n  a: wrong\n  b[1].c: worse"


def test_the_unexpected_is_a_sentence(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.delenv("SPECCONV_DEBUG", raising=False)
    monkeypatch.setattr("specconv.datasets.demo.make_demo", fail)
    result = invoke("demo", tmp_path / "demo")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: unexpected ZeroDivisionError: by zero. ")
    assert "report" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_debug_shows_the_traceback(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setenv("SPECCONV_DEBUG", "1")
    monkeypatch.setattr("specconv.datasets.demo.make_demo", fail)
    assert isinstance(invoke("demo", tmp_path / "demo").exception, ZeroDivisionError)


def test_our_warnings_are_a_line_and_others_are_silent() -> None:
    script = """
import warnings
from specconv.cli.edge import prepare_warnings
from specconv.errors import SpecconvWarning
prepare_warnings()
warnings.warn("two filters are empty", SpecconvWarning)
warnings.warn("an old function of a library", DeprecationWarning)
warnings.warn("its sparse tensors are in beta")
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.stderr == "Warning: two filters are empty\n"


def test_a_reader_that_leaves_is_not_told(launch: Launch, mel: Path) -> None:
    process = launch("info", mel)
    assert process.stdout is not None
    process.stdout.close()
    _, stderr = process.communicate()
    assert stderr == ""
    assert process.returncode == 0


def test_a_terminal_of_few_letters_is_enough(launch: Launch, mel: Path, tmp_path: Path) -> None:
    config = tmp_path / "größer.yaml"
    config.write_text(mel.read_text())
    process = launch("info", config, environment={"PYTHONIOENCODING": "ascii"})
    stdout, stderr = process.communicate()
    assert process.returncode == 0
    assert stderr == ""
    assert stdout.isascii()
    assert "mel-512" in stdout
