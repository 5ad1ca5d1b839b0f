"""The description of the machine, and the floor under every time."""

from __future__ import annotations

import pytest

from specconv.bench.floor import floor_seconds
from specconv.bench.machine import (
    copy_bandwidth,
    describe_machine,
    device_memory,
    package_version,
    usable_cores,
)


def test_the_machine_says_what_a_reader_needs() -> None:
    machine = describe_machine("cpu", ["librosa", "no-such-package"])
    assert machine.cores == usable_cores() >= 1
    assert machine.threads >= 1
    assert machine.bandwidth["cpu"] > 0
    assert machine.versions["librosa"] == package_version("librosa")
    assert "no-such-package" not in machine.versions
    text = "\n".join(machine.lines())
    for word in ("cores", "threads", "GB/s", "torch", "librosa"):
        assert word in text


def test_a_copy_counts_what_it_reads_and_what_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specconv.bench.machine.clock_of", lambda _: lambda call, repeats: (call(), 2.0 * repeats)[1])
    copy_bandwidth.cache_clear()
    assert copy_bandwidth("cpu") == pytest.approx(2 * 2**20 / 2.0)
    copy_bandwidth.cache_clear()


def test_memory_is_known() -> None:
    assert device_memory("cpu") > 2**28


def test_the_floor_grows_with_bytes_and_falls_with_bandwidth() -> None:
    assert floor_seconds(3_000, 7_000, 1e4) == 1.0
    with pytest.raises(ValueError, match="bandwidth"):
        floor_seconds(1, 1, 0.0)
