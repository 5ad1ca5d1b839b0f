"""sweep and bench: thin calls of the bench room."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from specconv.bench import BenchReport, SweepReport
from specconv.bench.machine import describe_machine

Invoke = Callable[..., Result]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text("transforms: [{type: stft, n_fft: 256, hop_length: 128}]\n")
    return path


def test_a_sweep_writes_nothing_but_its_report(invoke: Invoke, tones: Path, small: Path, tmp_path: Path) -> None:
    before = sorted(tones.rglob("*"))
    result = invoke("sweep", tones, "--config", small, "--json", tmp_path / "s.json", "--plot", tmp_path / "s.png")
    assert result.exit_code == 0, result.stderr
    assert "stft" in result.stdout
    rows = json.loads((tmp_path / "s.json").read_text())
    assert rows[0]["transform"] == "stft"
    assert rows[0]["seconds_median"] > 0
    assert (tmp_path / "s.png").stat().st_size > 1000
    assert sorted(tones.rglob("*")) == before


def test_an_interrupted_sweep_gives_what_it_has(
    invoke: Invoke, tones: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, show: Callable[[SweepReport], None], **__: object) -> SweepReport:
        show(SweepReport("sweep", "Half a sweep", describe_machine("cpu", []), []))
        raise KeyboardInterrupt

    monkeypatch.setattr("specconv.bench.time_sweep", interrupted)
    result = invoke("sweep", tones, "--config", small)
    assert result.exit_code == 130
    assert "Half a sweep" in result.stdout


def test_bench_passes_the_request_on(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def run(suite: str, **request: Any) -> BenchReport:
        asked.update(request, suite=suite)
        return BenchReport("maps", "A suite", describe_machine("cpu", []), [])

    monkeypatch.setattr("specconv.bench.run_suite", run)
    result = invoke(
        "bench", "maps", "--device", "cpu", "--scale", "paper", "--against", "librosa", "--against", "kapre"
    )
    assert result.exit_code == 0, result.stderr
    assert "A suite" in result.stdout
    assert (asked["suite"], asked["scale"], asked["device"]) == ("maps", "paper", "cpu")
    assert asked["against"] == ["librosa", "kapre"]


def test_our_own_wrong_result_is_a_fault(
    invoke: Invoke, tones: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import specconv.bench

    honest = specconv.bench.time_sweep

    def dishonest(*args: Any, **request: Any) -> SweepReport:
        report = honest(*args, **request)
        return replace(report, rows=[replace(report.rows[0], status="wrong: error 1 of the peak")])

    monkeypatch.setattr(specconv.bench, "time_sweep", dishonest)
    assert invoke("sweep", tones, "--config", small).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bench", "nothing"], "maps, musicnet"),
        (["bench", "maps", "--against", "matlab"], "librosa"),
        (["bench", "maps", "--audio", "/nowhere/at/all"], "no such folder"),
        (["bench", "maps", "--plot", "picture.txt"], "none of .png"),
        (["sweep", "/nowhere/at/all", "--config", "{}"], "no such folder"),
        (["sweep", "/nowhere/at/all", "--config", "nothing.yaml"], "cannot be read"),
    ],
)
def test_wrong_requests(arguments: list[str], said: str, invoke: Invoke, small: Path) -> None:
    result = invoke(*(argument.format(small) for argument in arguments))
    assert result.exit_code == 2
    assert said in result.stderr
