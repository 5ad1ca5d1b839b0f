"""How often a folded bank builds its weights, and how many it keeps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from bank_definition import constant_q, run

from specconv.engines import folded_bank
from specconv.engines.folded_bank import FoldedBank
from specconv.engines.long_fft import LongSpectrum

FRONT = LongSpectrum(64, "constant")


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """One entry for each time that weights are built."""
    made: list[Any] = []
    groups = folded_bank.groups

    def counted(*given: Any) -> Any:
        made.append(given)
        return groups(*given)

    monkeypatch.setattr(folded_bank, "groups", counted)
    return made


def test_clips_of_many_lengths_share_few_weights(builds: list[Any]) -> None:
    """From 0.2 to 4 s: four a doubling of the length, and none twice, in whatever order the clips come."""
    module = FoldedBank(constant_q(), 64)
    for _ in range(2):
        for n in torch.linspace(1_600, 32_000, 50).long().tolist():
            run(FRONT, module, torch.zeros(1, n), form="magnitude")
    assert len(builds) <= 4 * 5  # log2(4 / 0.2) is 4.3


def test_what_is_kept_is_bounded_and_the_latest_is_kept(builds: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folded_bank, "KEPT_BYTES", 1)
    module = FoldedBank(constant_q(12), 64)
    for n_frames in (100, 100, 200, 100):
        module.groups(n_frames, torch.zeros(1))
    assert len(builds) == 3
    assert len(module._groups) == 1


def test_each_precision_has_weights_of_its_own(builds: list[Any]) -> None:
    module = FoldedBank(constant_q(12), 64)
    for dtype in (torch.float32, torch.float64, torch.float32):
        assert {group.weights.dtype.to_real() for group in module.groups(100, torch.zeros(1, dtype=dtype))} == {dtype}
    assert len(builds) == 2
