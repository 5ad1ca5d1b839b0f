"""Configs that wish us ill, from the command's end: a sentence, exit status 2, and nothing made anywhere."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hostile_files import wav
from typer.testing import CliRunner, Result

from specconv.cli.app import app

pytestmark = pytest.mark.usefixtures("never_hangs")

QUICK = 2.0  # seconds of this process
RATE = "audio: {sample_rate: 16000}\n"


def transform(text: str) -> str:
    return f"{RATE}transforms: [{{{text}}}]"


def numbers(first: int, many: int) -> str:
    return str(list(range(first, first + many)))


BOMB = "\n".join(["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12))])
RUNS_CODE = "!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [made]]"

# What each must say: the key with the value found, the bound, the cure.
TEXTS: Mapping[str, tuple[str, list[str]]] = {
    "a bomb of aliases": (BOMB, ["more than 100000 values", "write out what is meant"]),
    "a bomb where layers stand": (f"{BOMB}\ntransforms: [{{type: stft, then: *a11}}]", ["more than 100000 values"]),
    "an endless alias": ("transforms: &a [*a]", ["an alias to something that contains it"]),
    "a million combinations": (
        transform(f"type: stft, n_fft: {numbers(2, 1000)}, hop_length: {numbers(1, 1000)}"),
        ["transforms[0]: sweeps 1000000 combinations (1000 n_fft x 1000 hop_length)", "at most 1000", "sweep fewer"],
    ),
    "n_fft": (transform(f"type: mel, n_fft: {2**40}"), [f"transforms[0].n_fft: is {2**40}; must be at most 4194304"]),
    "n_mels": (transform(f"type: mel, n_mels: {2**40}"), [f"transforms[0].n_mels: is {2**40}; must be at most "]),
    "n_bins": (transform(f"type: cqt, n_bins: {2**40}"), [f"transforms[0].n_bins: is {2**40}; must be at most "]),
    "n_mfcc": (transform("type: mfcc, n_mfcc: 500"), ["transforms[0].n_mfcc: 500 ", "exceed n_mels, 128", "lower "]),
    "f_min": (transform("type: cqt, f_min: 1.0e-6"), ["transforms[0]", "samples", "raise f_min"]),
    "duration": ("audio: {duration: 1.0e+300}\ntransforms: [{type: mel}]", ["audio.duration: is 1e+300; must be at "]),
    "no duration": ("audio: {duration: .nan}\ntransforms: [{type: mel}]", ["audio.duration: is nan; must be a finite"]),
    "a rate": ("audio: {sample_rate: 1000000000000}\ntransforms: [{type: mel}]", ["audio.sample_rate: is 1000000000"]),
    "clips": (f"{RATE}transforms: [{{type: mel}}]\nshards: {{clips: {2**63}}}", ["shards.clips: is 92", "at most "]),
    "a name that climbs": (transform("type: stft, name: ../../out"), ["transforms[0].name: is '../../out'"]),
    "a name that is a path": (transform("type: stft, name: /tmp/x"), ["transforms[0].name: is '/tmp/x'"]),
    "a type that is a path": (transform("type: ../stft"), ["transforms[0].type: is '../stft'; must be one of "]),
    "two of a name": (
        f"{RATE}transforms: [{{type: stft, name: a}}, {{type: mel, name: a}}]",
        ["transforms[1]: is named 'a' like transforms[0]; give one of them another name"],
    ),
    "code": (f"transforms: {RUNS_CODE}", ["is not YAML: could not determine a constructor"]),
    "code in a name": (transform(f"type: stft, name: {RUNS_CODE}"), ["is not YAML: could not determine a constructor"]),
    "a module": ("transforms: !!python/name:os.system", ["is not YAML: could not determine a constructor"]),
    "a list": ("- 1\n- 2", ["is [1, 2]; must be a mapping with the keys audio, transforms, shards"]),
    "a word": ("transforms", ["is 'transforms'; must be a mapping"]),
    "nothing": ("", ["is None; must be a mapping"]),
    "terminal codes": (transform('type: "\\e[2J"'), ["transforms[0].type: is '\\x1b[2J'; must be one of"]),
}

FILES: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "bytes": (lambda path: path.write_bytes(bytes(range(256)) * 100), "is not UTF-8 text (byte 128); save it as UTF-8"),
    "zeros": (lambda path: path.write_bytes(bytes(1000)), "is not YAML"),
    "audio": (lambda path: wav(path), "is not UTF-8 text"),
    "huge": (lambda path: path.write_bytes(b"#" * 2**21), "is larger than 1048576 bytes; a config is a page of text"),
    "a folder": (Path.mkdir, "cannot be read: it is no regular file; save the config as one"),
    "a fifo": (os.mkfifo, "cannot be read: it is no regular file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "cannot be read: it is no regular file"),
    "a socket": (lambda path: socket.socket(socket.AF_UNIX).bind(os.path.relpath(path)), "it is no regular file"),
    "a broken link": (lambda path: path.symlink_to("nowhere"), "cannot be read: No such file"),
    "a link to itself": (lambda path: path.symlink_to(path), "cannot be read: Too many levels"),
}


@pytest.fixture
def here(clips: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that we are in; it holds ``audio`` and nothing else."""
    monkeypatch.chdir(clips.parent)
    return clips.parent


def refused(here: Path, *arguments: str) -> Result:
    """Run a command that has to refuse, at once and in words, and must leave everything as it was."""
    before = sorted(here.rglob("*"))
    started = time.process_time()
    result = CliRunner().invoke(app, [*arguments], prog_name="specconv")
    assert time.process_time() - started < QUICK
    assert sorted(here.rglob("*")) == before
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert result.stderr.startswith("Error: job.yaml: ")
    assert len(result.stderr) < 2000
    assert not {"\x1b", "\0", "\r"} & set(result.stderr)
    assert "Traceback" not in result.stderr
    return result


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_text_is_refused(here: Path, name: str) -> None:
    text, parts = TEXTS[name]
    (here / "job.yaml").write_text(text)
    said = refused(here, "convert", "audio", "--config", "job.yaml", "--out", "out").stderr
    for part in parts:
        assert part in said


CASES = [(name, "convert") for name in FILES]
# Of a missing file typer speaks, and a folder is one of shards.
CASES += [(name, "info") for name in FILES if name != "a folder" and "link" not in name]


@pytest.mark.parametrize(("name", "command"), CASES)
def test_a_hostile_file_is_refused(here: Path, name: str, command: str) -> None:
    make, said = FILES[name]
    make(here / "job.yaml")
    given = ["audio", "--config", "job.yaml", "--out", "out"] if command == "convert" else ["job.yaml"]
    assert said in refused(here, command, *given).stderr
