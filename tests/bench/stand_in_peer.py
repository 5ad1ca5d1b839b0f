"""A library that computes what specconv does, and then whatever it is told to do to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch

from specconv.bench.peers import Prepared
from specconv.bench.peers.base import Peer, Request
from specconv.transforms import build_transform


class StandIn(Peer):
    """Computes what specconv does, and then does ``spoil`` to it."""

    name: ClassVar[str] = "standin"
    parity: ClassVar[str] = "librosa"
    package: ClassVar[str] = "standin"
    install: ClassVar[str] = "pip install standin"
    modules: ClassVar[Sequence[str]] = ()
    transforms: ClassVar[frozenset[str]] = frozenset({"stft", "mel"})

    def __init__(self) -> None:
        self.installed = True
        self.spoil: Callable[[torch.Tensor], Any] = lambda specgrams: specgrams
        self.batches: list[int] = []

    def version(self) -> str | None:
        return "1.2" if self.installed else None

    def build(self, request: Request) -> Prepared:
        transform = build_transform({**request.given, "parity": self.parity}, request.sample_rate)

        def run(waveforms: torch.Tensor) -> Any:
            self.batches.append(len(waveforms))
            return self.spoil(transform(waveforms))

        return Prepared(run)
