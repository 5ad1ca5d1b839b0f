"""A thread computes the same digits whether it is new or not."""

from __future__ import annotations

import torch

from specconv.pipeline.threads import pool
from specconv.transforms import build_transform


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
        torch.set_num_threads(1)
        with pool(1, "two", cores=2) as two:
            assert two.submit(compute, 0).result()[0] == 2
    finally:
        torch.set_num_threads(before)
