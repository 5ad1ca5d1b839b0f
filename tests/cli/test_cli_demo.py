from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Invoke = Callable[..., Result]


def test_what_it_wrote_and_what_to_try_next(invoke: Invoke, tmp_path: Path) -> None:
    root = tmp_path / "demo"
    result = invoke("demo", root, "--size", "tiny")
    assert result.exit_code == 0
    for name in ("piano_triads", "maps", "musicnet"):
        assert str(root / name) in result.stdout
        assert (root / name).is_dir()
    assert "MiB" in result.stdout
    last = result.stdout.splitlines()[-1]
    assert last == (f"Next: specconv convert {root}/piano_triads --config piano_triads --out {root}/shards")


def test_the_next_command_works_from_any_folder(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = invoke("demo", "a demo; of 'sounds'", "--size", "tiny").stdout.splitlines()[-1]
    name, *arguments = shlex.split(command.removeprefix("Next: "))
    assert name == "specconv"
    assert invoke(*arguments).exit_code == 0
    assert (tmp_path / "a demo; of 'sounds'" / "shards" / "index.json").exists()


def test_a_folder_with_other_things_is_left_alone(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    result = invoke("demo", tmp_path)
    assert result.exit_code == 2
    assert "not empty" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_unknown_size(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("demo", tmp_path / "demo", "--size", "vast")
    assert result.exit_code == 2
    assert "tiny, small, medium" in result.stderr
    assert not (tmp_path / "demo").exists()
