"""nnAudio2 (Roy et al., 2026): nnAudio's successor, with the same classes and defaults."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import ClassVar

from specconv.bench.peers.nnaudio import NnAudio


class NnAudio2(NnAudio):
    """Its VQT without gamma is its CQT1992v2."""

    name: ClassVar[str] = "nnaudio2"
    package: ClassVar[str] = "nnaudio2"
    install: ClassVar[str] = "pip install nnaudio2"
    modules: ClassVar[Sequence[str]] = ("nnAudio2.features",)

    def load(self) -> None:
        os.environ.setdefault("NNAUDIO_DISABLE_CITATION_REMINDER", "1")  # printed on stdout, among our results
        super().load()
