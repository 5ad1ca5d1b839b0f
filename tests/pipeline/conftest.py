"""What the tests of conversions share."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hostile_files import wav
from listening import Listening
from separate_runs import Runs, separate_runs

SMALL: Mapping[str, Any] = {
    "audio": {"sample_rate": 16000},
    "transforms": [{"type": "mel", "n_fft": 512, "n_mels": 16}],
    "shards": {"clips": 4},
}


HANGS = 600.0  # seconds


@pytest.fixture
def never_hangs() -> Iterator[None]:
    """A thread that waits for a fifo cannot be stopped: what all threads do is told, and the run of tests ends."""
    faulthandler.dump_traceback_later(HANGS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def listening() -> Listening:
    return Listening()


@pytest.fixture(scope="session")
def small() -> Mapping[str, Any]:
    """A config of which ten clips are three shards."""
    return SMALL


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Nine clips of different lengths, and a file that is none."""
    for i in range(9):
        wav(tmp_path / "audio" / f"{i}.wav", 8000 + 500 * i)
    (tmp_path / "audio" / "bad.wav").write_text("this is no audio")
    return tmp_path / "audio"


@pytest.fixture(scope="session")
def runs() -> Iterator[Runs]:
    """Conversions in processes of their own."""
    with separate_runs() as server:
        yield server
