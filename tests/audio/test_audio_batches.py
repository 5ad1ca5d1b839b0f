from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specconv.audio import similar_lengths
from specconv.errors import ParameterError


@given(
    st.lists(st.integers(0, 1000), max_size=60),
    st.floats(0, 0.99),
    st.integers(1, 5000),
)
def test_groups_keep_their_bounds(lengths: list[int], max_waste: float, max_samples: int) -> None:
    groups = similar_lengths(lengths, max_waste, max_samples)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[index] for index in group)
        padded = longest * len(group)
        assert padded <= max_samples or len(group) == 1
        assert padded - sum(lengths[index] for index in group) <= max_waste * padded + 1e-9
    assert groups == similar_lengths(lengths, max_waste, max_samples)


def test_equal_lengths_fill_groups_in_order() -> None:
    assert similar_lengths([4] * 5, 0.0, 8) == [[0, 1], [2, 3], [4]]


def test_no_more_groups_than_needed() -> None:
    assert similar_lengths([10, 100, 9, 99, 1000], 0.1, 10_000) == [[2, 0], [3, 1], [4]]
    assert similar_lengths([], 0.1, 10) == []


def test_every_fault_is_named() -> None:
    with pytest.raises(ParameterError) as raised:
        similar_lengths([-1], 1.0, 0)
    assert [fault.key for fault in raised.value.faults] == ["max_waste", "max_samples", "lengths"]
