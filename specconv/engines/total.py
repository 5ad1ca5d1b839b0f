"""Sums whose digits do not depend on how the values lie in memory, nor on what stands beside them.

torch adds in an order that depends on both. Here one half is added to the other until one value is left: additions of
whole tensors, each rounded alone. The error grows with the logarithm of the number of values.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from specconv.engines.threads import is_plain


def total(values: Tensor, axes: Sequence[int]) -> Tensor:
    """The sum along ``axes``, which keep the length 1."""
    if not is_plain(values):
        return values.sum(dim=tuple(axes), keepdim=True)
    for axis in axes:
        while (n := values.shape[axis]) > 1:
            half = n // 2
            sums = values.narrow(axis, 0, half) + values.narrow(axis, half, half)
            if n % 2:
                sums.narrow(axis, 0, 1).add_(values.narrow(axis, n - 1, 1))
            values = sums
    return values
