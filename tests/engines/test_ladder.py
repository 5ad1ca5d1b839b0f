"""Lengths of FFTs and blocks: everything a frame sees is there, on one grid for all kernels."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from specconv.engines.ladder import block_frames, fold, rung, tile_frames

hops = st.integers(1, 5000)
frames = st.integers(1, 10**7)
reaches = st.integers(1, 2**20)


@given(hops, frames, reaches)
def test_a_block_holds_what_its_frames_see(hop: int, n_frames: int, reach: int) -> None:
    f = fold(hop, n_frames, reach)
    assert f.margin * hop >= reach
    assert f.n_points >= f.n_frames + 2 * f.margin
    last = n_frames - 1
    block = last // f.n_frames
    samples = f.samples(range(block, block + 1))
    assert samples.start <= last * hop - reach
    assert samples.stop >= last * hop + reach
    assert len(samples) == f.n_fft == hop * f.n_points


@given(st.integers(1, 10**6))
def test_fft_sizes_have_small_prime_factors_and_waste_little(n_frames: int) -> None:
    points = fold(512, n_frames, 1).n_points
    for prime in (2, 3, 5, 7):
        while points % prime == 0:
            points //= prime
    assert points == 1
    f = fold(512, n_frames, 1)
    assert f.n_points <= 1.3 * (f.n_frames + 2 * f.margin) + 4


@given(hops, reaches)
def test_blocks_of_all_kernels_nest_in_a_tile(hop: int, reach: int) -> None:
    assert tile_frames(hop) % block_frames(hop, reach) == 0


@given(st.integers(1, 2**40))
def test_rungs_are_few_and_close(n: int) -> None:
    r = rung(n)
    assert n <= r <= max(n * 1.25, 8)
    assert rung(r) == r
    assert len({rung(k) for k in range(1025, 2049)}) == 4


@given(hops, frames, reaches, reaches)
def test_kernels_of_a_bank_share_a_fold_unless_they_are_much_longer_than_others(
    hop: int, n_frames: int, one: int, other: int
) -> None:
    longest = max(one, other)
    if longest <= min(rung(n_frames) * hop // 4, 2**14):
        assert fold(hop, n_frames, one, longest) == fold(hop, n_frames, other, longest)


@given(hops, frames, reaches)
def test_clips_of_a_rung_have_one_fold(hop: int, n_frames: int, reach: int) -> None:
    assert fold(hop, n_frames, reach) == fold(hop, rung(n_frames), reach)


def test_long_recordings_all_have_one_fold() -> None:
    assert fold(512, 50_000, 9000) == fold(512, 2**40, 9000)
    assert fold(512, 50_000, 9000).n_frames == block_frames(512, 9000)
