"""A thread computes the same digits whether it is new or not, and blocks side by side those of a loop."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
import torch

from specconv.engines.threads import pool, side_by_side
from specconv.transforms import build_transform


@pytest.fixture(params=[1, 2, 3])
def cores(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_a_new_thread_computes_with_its_own_number_of_cores_from_the_first_operation() -> None:
    before = torch.get_num_threads()
    # Of this length the products of one clip are shared out, if there is more than one core, and round otherwise.
    waveform = torch.rand(1, 33_333, generator=torch.Generator().manual_seed(0)) - 0.5
    transform = build_transform({"type": "cqt", "n_bins": 24, "hop_length": 512}, 16000)

    def compute(_: int) -> tuple[int, torch.Tensor]:
        with torch.inference_mode():
            return torch.get_num_threads(), transform(waveform)

    try:
        torch.set_num_threads(2)
        with pool(1, "one") as one:
            found = [one.submit(compute, i).result() for i in range(2)]
            assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        expected = compute(0)[1]
        for threads, values in found:
            assert threads == 1
            assert torch.equal(values, expected)
    finally:
        torch.set_num_threads(before)


def test_every_item_is_worked_on_once_in_threads_of_one_core(cores: int) -> None:
    seen: list[tuple[int, int, int]] = []

    all_there = threading.Barrier(cores)

    def work(item: int) -> None:
        seen.append((item, threading.get_ident(), torch.get_num_threads()))
        if item < cores:
            all_there.wait(60)

    side_by_side(work, range(50))
    assert sorted(item for item, _, _ in seen) == list(range(50))
    assert len({thread for _, thread, _ in seen}) == cores
    assert {n for _, _, n in seen} == {1}
    assert torch.get_num_threads() == cores
    new: list[int] = []
    thread = threading.Thread(target=lambda: new.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert new == [cores], "threads of others take the number they would have taken"


@pytest.mark.usefixtures("cores")
def test_the_first_error_ends_the_work() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 3:
            raise IndexError("item 3")
        time.sleep(0.01)
        done.append(item)

    with pytest.raises(IndexError, match="item 3"):
        side_by_side(work, range(1000))
    n = len(done)
    assert n < 500
    time.sleep(0.05)
    assert len(done) == n, "no thread goes on"


@pytest.mark.usefixtures("cores")
def test_no_gradient_is_recorded_and_inference_mode_holds() -> None:
    weight = torch.ones(3, requires_grad=True)
    for mode in (torch.inference_mode, torch.no_grad):
        made: list[torch.Tensor] = []
        with mode():
            side_by_side(lambda _: made.append(weight * 2), range(4))  # noqa: B023  # done before made is another
        assert all(t.is_inference() == (mode is torch.inference_mode) and not t.requires_grad for t in made)


@pytest.mark.usefixtures("cores")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    """As a DataLoader's workers, which would wait for ever for threads that only the parent has."""
    side_by_side(lambda _: None, range(4))
    child = os.fork()
    if child == 0:
        done: list[int] = []
        side_by_side(done.append, range(8))
        os._exit(0 if sorted(done) == list(range(8)) else 1)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.01)
    os.kill(child, 9)
    pytest.fail("the child waits")


@pytest.mark.parametrize("kind", ["stft", "mel", "gammatonegram"])
def test_specgrams_have_the_same_digits_on_any_number_of_cores(kind: str) -> None:
    before = torch.get_num_threads()
    waveforms = torch.rand(20, 70_000, generator=torch.Generator().manual_seed(0)) - 0.5
    transform = build_transform({"type": kind, "n_fft": 2048, "hop_length": 512}, 44100)
    found = []
    try:
        for cores in (1, 2, 3):
            torch.set_num_threads(cores)
            found += [transform(waveforms), torch.cat([transform(part) for part in torch.split(waveforms, 3)])]
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(values, found[0]) for values in found)
