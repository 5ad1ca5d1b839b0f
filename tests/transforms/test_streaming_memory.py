"""A block of a long recording that does not fit into memory is computed in halves, with the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from specconv.transforms import build_transform, streaming
from specconv.transforms.streaming import shortest_stream, stream

RATE = 16_000
TRANSFORMS: list[dict[str, Any]] = [
    {"type": "stft", "n_fft": 256, "then": [{"layer": "normalization", "over": "freq"}]},
    {"type": "mel", "n_fft": 512, "n_mels": 20},
    {"type": "cqt", "n_bins": 24, "f_min": 200.0, "hop_length": 64},
]


def test_blocks_are_halved_until_they_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transforms = [build_transform(given, RATE).eval() for given in TRANSFORMS]
    waveform = torch.randn(max(600_000, shortest_stream(transforms)), generator=torch.Generator().manual_seed(0))
    finish, taken, refused = streaming.finish, [], []

    def limited(front: Any, members: Any, signal: Any, frames: range) -> Any:
        samples = len(frames) * members[0].hop_length
        if samples > 150_000:
            refused.append(samples)
            raise RuntimeError("cuFFT error: CUFFT_INTERNAL_ERROR")
        taken.append(samples)
        return finish(front, members, signal, frames)

    def run() -> dict[str, torch.Tensor]:
        parts = list(stream(transforms, waveform.split(300_000), tmp_path))
        return {t.name: torch.cat([part[t.name] for part in parts], dim=1) for t in transforms}

    with torch.no_grad():
        expected = {t.name: t(waveform) for t in transforms}
        monkeypatch.setattr(streaming, "finish", limited)
        found = run()
    assert 0 < len(refused) < len(taken)
    for name, values in found.items():
        torch.testing.assert_close(values, expected[name], rtol=0, atol=1e-5 * float(expected[name].abs().max()))


def test_what_never_fits_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> Any:
        tried.append(1)
        raise torch.OutOfMemoryError("CUDA out of memory")

    tried: list[int] = []
    monkeypatch.setattr(streaming, "finish", never)
    with pytest.raises(torch.OutOfMemoryError):
        list(stream([build_transform(TRANSFORMS[1], RATE)], torch.zeros(500_000).split(200_000), tmp_path))
    assert len(tried) < 30
