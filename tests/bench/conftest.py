"""Stand-ins: a library that can be told what to return, and reports made without measuring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from stand_in_peer import StandIn

from specconv.bench.machine import Machine
from specconv.bench.peers import PEERS
from specconv.bench.rows import BenchReport, Published, Row
from specconv.bench.timing import Copies, Timing


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    peer = StandIn()
    monkeypatch.setitem(PEERS, "standin", peer)
    return peer


@pytest.fixture(autouse=True)
def in_miniature(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bandwidth is measured on a MiB here, and on one core: these tests ask for a number, not for the truth."""
    monkeypatch.setattr("specconv.bench.machine._COPY_BYTES", {"cpu": 2**20})
    monkeypatch.setattr("specconv.bench.suites.usable_cores", lambda: 1)


@pytest.fixture
def noise() -> torch.Tensor:
    """Six clips of half a second at 16 kHz."""
    return torch.randn(6, 8_000, generator=torch.Generator().manual_seed(0)) * 0.1


@pytest.fixture
def make_row() -> Callable[..., Row]:
    def make(transform: str = "stft", library: str = "specconv", seconds: float | None = 1.0, **changed: Any) -> Row:
        timing = None if seconds is None else Timing((seconds, seconds * 1.01, seconds * 0.99))
        values: Mapping[str, Any] = {
            "suite": "maps",
            "parameters": {"type": transform},
            "version": "1",
            "device": "cpu",
            "clips": 4,
            "audio_seconds": 8.0,
            "first_call_seconds": 0.5,
            "copies": Copies(),
            "floor_seconds": 0.01,
            "max_rel_error": 1e-7,
            "status": "ok",
        }
        return Row(transform=transform, library=library, timing=timing, **{**values, **changed})

    return make


@pytest.fixture
def make_report() -> Callable[..., BenchReport]:
    def make(rows: Sequence[Row], growth: Sequence[Row] = ()) -> BenchReport:
        machine = Machine("A CPU", 2, 2, 2**34, "cpu", None, {"cpu": 2e10}, {"torch": "2"}, "Linux")
        published = Published("As published", ("transform", "A"), (("STFT", "6.1"),), "a remark")
        return BenchReport("maps", "A title", machine, rows, ["a note"], [published], growth)

    return make
