"""Which clips are computed together."""

from __future__ import annotations

from collections.abc import Sequence

from specconv.errors import Fault, ParameterError


def similar_lengths(lengths: Sequence[int], max_waste: float, max_samples: int) -> list[list[int]]:
    """Indices of ``lengths`` in groups to be padded to their longest, shortest lengths first.

    lengths: samples of each clip.
    max_waste: share of padding in a group, from 0 (equal lengths only) to below 1.
    max_samples: of a group with its padding; a longer clip is a group of its own.
    The same lengths give the same groups; equal lengths keep their order.
    """
    faults = []
    if not 0 <= max_waste < 1:
        faults.append(Fault("max_waste", f"{max_waste}; give a share of at least 0 and below 1"))
    if max_samples < 1:
        faults.append(Fault("max_samples", f"{max_samples}; give at least 1"))
    if any(length < 0 for length in lengths):
        faults.append(Fault("lengths", f"{min(lengths)}; lengths are at least 0"))
    if faults:
        raise ParameterError(faults)
    groups: list[list[int]] = []
    held = 0  # samples of the last group without padding
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[index]
        padded = length * (len(groups[-1]) + 1) if groups else 0
        fits = padded <= max_samples and padded - (held + length) <= max_waste * padded
        if groups and fits:
            groups[-1].append(index)
            held += length
        else:
            groups.append([index])
            held = length
    return groups
