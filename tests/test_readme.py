"""Every command and every line of Python in the README works as it stands there."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from specconv.cli.app import app
from specconv.config import parse_config

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [command.strip() for line in lines for command in line.split("&&") if command.strip()]


@pytest.fixture
def work(tmp_path: Path, demo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like the checkout, with a demo that is small enough for a test."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copytree(demo_root, tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str) -> str:
    words = shlex.split(command)
    assert words[0] == "specconv"
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, f"{command}: {result.output} {result.exception!r}"
    return result.output


def test_the_first_line_makes_a_picture_and_the_python_after_it_runs(work: Path) -> None:
    first = [command for command in commands() if command.startswith("specconv")][:3]
    assert [command.split()[1] for command in first] == ["demo", "convert", "plot"]
    for command in first[1:]:
        run(command)
    assert (work / "demo" / "shards.png").stat().st_size > 10_000
    names: dict[str, object] = {}
    exec(blocks("python")[0], names)
    assert len(names["data"]) == 96  # type: ignore[arg-type]


def test_each_command_of_the_list_runs(work: Path) -> None:
    config = work / "small.yaml"
    config.write_text("audio: {sample_rate: 16000, duration: 0.5}\ntransforms: [{type: mel}]\n")
    values = {"AUDIO_DIR": "demo/piano_triads", "--config FILE": "--config small.yaml", "FILE.png": "x.png"}
    listed = [command for command in commands() if re.search(r"\b[A-Z_]{3,}\b", command)]
    assert {command.split()[1] for command in listed} == {
        "convert", "sweep", "bench", "verify", "info", "plot", "demo",
    }  # fmt: skip
    for command in listed:
        name = command.split()[1]
        for placeholder, value in values.items():
            command = command.replace(placeholder, value)
        command = re.sub(r"\bDIR\b", "new-demo" if name == "demo" else "out", command)
        if name in ("bench", "demo"):  # long; their own tests run them small
            assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0
            continue
        run(command)


def test_the_config_in_the_readme_is_one() -> None:
    job = parse_config(blocks("yaml")[0])
    assert [transform.name for transform in job.transforms] == ["mel-1024", "mel-2048"]


def test_the_tests_are_run_as_the_readme_says() -> None:
    assert "pip install '.[test]' && pytest" in README
    assert "README.md" in (ROOT / ".ci" / "run").read_text()
