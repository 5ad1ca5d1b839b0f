"""Shards are the same wherever they are made, and a new place is one class."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from specconv.config import load_config
from specconv.datasets import open_dataset
from specconv.errors import AudioError, OutputError
from specconv.executors import InProcess, Processes
from specconv.executors.processes import _Worker
from specconv.pipeline import Executor, Plan, Recipe, ShardResult, ShardTask, convert, make_plan, make_shard

CPU = torch.device("cpu")
JOB: Mapping[str, Any] = {
    "audio": {"sample_rate": 16000},
    "transforms": [
        {"type": "mel", "n_fft": 512, "n_mels": 16},
        {"type": "cqt", "n_bins": 24, "f_min": 220.0, "hop_length": 256, "scale": "decibel", "top_db": 60.0},
    ],
    "shards": {"clips": 3},
}


def wav(path: Path, n_samples: int) -> None:
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, np.random.default_rng(n_samples).uniform(-0.5, 0.5, n_samples), 16_000)


class Backwards:
    """The toy: the last shard first, each in a thread of its own, from pickled tasks."""

    def run(
        self, recipe: Recipe, tasks: Sequence[ShardTask], folder: Path, *, strict: bool, advance: Any
    ) -> Generator[ShardResult]:
        assert not strict
        with ThreadPoolExecutor(2) as threads:
            sent = [pickle.loads(pickle.dumps((recipe, task, folder))) for task in reversed(tasks)]
            for result in threads.map(lambda given: make_shard(*given), sent):
                advance(result.entry.clips + result.entry.failed, result.audio_seconds)
                yield result


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    for i in range(10):
        wav(tmp_path / "audio" / f"{i}.wav", 6000 + 700 * i)
    (tmp_path / "audio" / "bad.wav").write_text("this is no audio")
    return tmp_path / "audio"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes are started for the smallest job, at its first clips."""
    monkeypatch.setattr("specconv.executors.processes.PATIENCE", 0.0)
    monkeypatch.setattr("specconv.executors.processes.WORTHWHILE", 0.0)


def plan_of(audio: Path, **changed: Any) -> Plan:
    return make_plan(load_config({**JOB, **changed}), open_dataset(audio))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "index.json"}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "executor",
    [InProcess(CPU, 1), InProcess(CPU, 5), Backwards(), Processes([CPU, CPU])],
    ids=["a thread", "five threads", "the toy", "processes"],
)
def test_the_bytes_are_the_same_everywhere(audio: Path, tmp_path: Path, executor: Executor) -> None:
    plan = plan_of(audio)
    for task in plan.tasks:
        (tmp_path / "alone").mkdir(exist_ok=True)
        make_shard(plan.recipe, task, tmp_path / "alone")
    report = convert(plan, tmp_path / "out", executor)
    assert (report.clips, len(report.failures), report.shards) == (10, 1, 4)
    found = contents(tmp_path / "out")
    assert found.pop("errors.jsonl")
    assert found == contents(tmp_path / "alone")


def test_recipe_and_task_are_small(audio: Path) -> None:
    plan = plan_of(audio)
    assert len(pickle.dumps(plan.recipe)) < 4096
    assert len(pickle.dumps(plan.tasks[0])) < 4096


@pytest.mark.usefixtures("at_once")
def test_a_failure_in_another_process_is_an_error_here_when_strict(audio: Path, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"bad\.wav"):
        convert(plan_of(audio), tmp_path / "out", Processes([CPU, CPU]), strict=True)
    names = [path.name for path in (tmp_path / "out").iterdir()]
    assert all(name.startswith("shard-") or name == "unfinished.json" for name in names)


@pytest.mark.usefixtures("at_once")
def test_a_process_that_is_killed_ends_the_run_and_loses_nothing(
    audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(200):
        wav(audio / f"long {i:03d}.wav", 32_000)
    plan, executor = plan_of(audio), Processes([CPU, CPU])

    def killed(self: Any) -> bool:
        """The first process is killed as soon as it is there."""
        there = is_there(self)
        if there and not victims:
            victims.append(self._process.pid)
            os.kill(self._process.pid, signal.SIGKILL)
        return there

    victims: list[int] = []
    is_there = _Worker.is_there
    monkeypatch.setattr(_Worker, "is_there", killed)
    with pytest.raises(OutputError, match=r"status -9 .* run the same command again"):
        convert(plan, tmp_path / "out", executor)
    monkeypatch.undo()
    assert not list((tmp_path / "out").glob(".*"))
    kept = convert(plan, tmp_path / "out", InProcess(CPU)).kept_shards
    assert kept > 0
    convert(plan, tmp_path / "whole", InProcess(CPU))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.fixture(autouse=True)
def no_process_stays() -> Iterator[None]:
    yield
    assert not multiprocessing.active_children()
