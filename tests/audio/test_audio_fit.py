from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from specconv.audio.fit import fit, fit_blocks


def test_fit_cuts_and_pads_on_the_right() -> None:
    assert fit(torch.tensor([1.0, 2.0, 3.0]), 2).tolist() == [1, 2]
    assert fit(torch.tensor([1.0, 2.0]), 4).tolist() == [1, 2, 0, 0]


@given(
    st.lists(st.integers(0, 9), max_size=6),
    st.integers(1, 12),
    st.one_of(st.none(), st.integers(1, 40)),
)
def test_blocks_are_fit_of_the_whole(sizes: list[int], block_samples: int, n_samples: int | None) -> None:
    whole = 1 + torch.arange(sum(sizes), dtype=torch.float32)
    got = list(fit_blocks(whole.split(sizes), block_samples, n_samples))
    assert all(len(block) == block_samples for block in got[:-1])
    assert all(0 < len(block) <= block_samples for block in got)
    expected = whole if n_samples is None else fit(whole, n_samples)
    assert torch.equal(torch.cat([torch.zeros(0), *got]), expected)
