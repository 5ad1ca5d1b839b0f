"""Timing, with clocks that say what they are told: no test here depends on how fast anything is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from specconv.bench.timing import (
    SHORTEST_MEASUREMENT,
    Copies,
    Timing,
    clock_of,
    device_clock,
    fixed_threads,
    time_copies,
    time_first,
    time_interleaved,
    wall_clock,
)


class ScriptedClock:
    """Reports ``seconds(number of the call)`` for a call, and notes which workload it was asked to time."""

    def __init__(self, seconds: Callable[[int], float] = lambda _: 1.0) -> None:
        self.seconds = seconds
        self.calls = 0

    def __call__(self, call: Callable[[], object], repeats: int) -> float:
        total = 0.0
        for _ in range(repeats):
            call()
            total += self.seconds(self.calls)
            self.calls += 1
        return total


def test_every_round_visits_all_before_any_comes_again_and_the_order_rotates() -> None:
    visits: list[str] = []
    workloads = {name: (lambda name=name: visits.append(name)) for name in "abc"}
    time_interleaved(workloads, clock=ScriptedClock(), rounds=3, warmed=dict.fromkeys("abc", 1.0))
    rounds = ["".join(visits[i : i + 3]) for i in range(0, 9, 3)]
    assert rounds == ["abc", "bca", "cab"]


def test_a_machine_that_slows_down_leaves_the_ratio_as_it_is() -> None:
    clock = ScriptedClock(lambda call: 1.0 + call / 10)  # every call slower than the one before
    times = time_interleaved({"a": lambda: None, "b": lambda: None}, clock=clock, rounds=6)
    assert times["a"].median / times["b"].median == pytest.approx(1.0, abs=0.03)


def test_median_and_spread_are_those_of_the_rounds() -> None:
    timing = Timing((1.0, 2.0, 3.0, 4.0, 100.0))
    assert timing.median == 3.0
    assert timing.iqr == pytest.approx(np.subtract(*np.percentile(timing.rounds, (75, 25))))
    assert timing.spread == pytest.approx(timing.iqr / 3.0)
    assert timing.is_wide
    assert not Timing((1.0, 1.01, 1.02)).is_wide


def test_short_calls_are_repeated_until_a_clock_can_see_them() -> None:
    clock = ScriptedClock(lambda _: SHORTEST_MEASUREMENT / 10)
    times = time_interleaved({"a": lambda: None}, clock=clock, rounds=2)
    assert clock.calls == 1 + 2 * 10
    assert times["a"].median == pytest.approx(SHORTEST_MEASUREMENT / 10)


def test_a_warm_up_is_not_among_the_rounds() -> None:
    clock = ScriptedClock(lambda call: 100.0 if call == 0 else 1.0)
    assert time_interleaved({"a": lambda: None}, clock=clock, rounds=3)["a"].rounds == (1.0, 1.0, 1.0)


def test_workloads_on_different_devices_have_clocks_of_their_own() -> None:
    clocks = {"a": ScriptedClock(lambda _: 1.0), "b": ScriptedClock(lambda _: 5.0)}
    times = time_interleaved({"a": lambda: None, "b": lambda: None}, clock=clocks, rounds=1)
    assert (times["a"].median, times["b"].median) == (1.0, 5.0)


def test_no_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="0 rounds"):
        time_interleaved({"a": lambda: None}, rounds=0)


def test_times_of_two_sets_of_clips_add_round_by_round() -> None:
    assert (Timing((1.0, 2.0)) + Timing((10.0, 20.0))).rounds == (11.0, 22.0)
    with pytest.raises(ValueError, match="cannot be added"):
        Timing((1.0,)) + Timing((1.0, 2.0))
    assert (Copies(1.0, 2.0) + Copies(3.0, 4.0)).total == 10.0


def test_a_first_call_gives_its_result_too() -> None:
    seconds, result = time_first(lambda: "done", "cpu")
    assert seconds >= 0
    assert result == "done"


def test_threads_are_put_back_even_after_an_error() -> None:
    before = torch.get_num_threads()

    def fail() -> None:
        with fixed_threads(before + 1):
            raise RuntimeError(torch.get_num_threads())

    with pytest.raises(RuntimeError, match=str(before + 1)):
        fail()
    assert torch.get_num_threads() == before


def test_each_device_is_waited_for_in_its_way() -> None:
    assert clock_of("cpu") is wall_clock
    assert clock_of("mps") not in (wall_clock, device_clock)


def test_nothing_is_copied_on_the_cpu() -> None:
    assert time_copies(torch.zeros(1, 10), 100, "cpu") == Copies()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_device_clock_returns_when_the_device_is_done() -> None:
    matrix = torch.randn(4096, 4096, device="cuda")

    def work() -> None:
        for _ in range(50):
            matrix @ matrix

    assert device_clock(work, 1) > 0
    assert torch.cuda.current_stream().query()
    copies = time_copies(torch.zeros(4, 1_000_000), 2**24, "cuda")
    assert copies.to_device > 0
    assert copies.to_host > 0


def test_a_second_gpu_is_the_one_that_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are made and recorded, and waited for, on the device of the work, whichever is the current one."""
    current, used = ["cuda:0"], []

    class Device:
        def __init__(self, device: str) -> None:
            self.device, self.before = device, ""

        def __enter__(self) -> None:
            self.before, current[0] = current[0], self.device

        def __exit__(self, *_: object) -> None:
            current[0] = self.before

    class Event:
        def __init__(self, *, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            used.append(("record", current[0]))

        def synchronize(self) -> None:
            used.append(("wait", current[0]))

        def elapsed_time(self, _: object) -> float:
            return 2000.0

    monkeypatch.setattr(torch.cuda, "device", Device)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device=None: used.append(("wait", device or current[0])))
    assert clock_of("cuda:1")(lambda: used.append(("call", current[0])), 1) == 2.0
    assert {device for _, device in used} == {"cuda:1"}
    assert [what for what, _ in used] == ["wait", "record", "call", "record", "wait"]
    assert current == ["cuda:0"]
