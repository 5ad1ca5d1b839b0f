"""The libraries agree with specconv under their parity, and with one another where they should."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from specconv.bench.agreement import as_array, relative_error
from specconv.bench.clips import Clips
from specconv.bench.contest import Contest
from specconv.bench.peers import PEERS, NotRunError
from specconv.transforms import TYPES, transform_parameters

RATE = 16_000
FRAMES: Mapping[str, Any] = {"n_fft": 512, "hop_length": 128}
CQT: Mapping[str, Any] = {"hop_length": 128, "f_min": 220.0, "n_bins": 24, "bins_per_octave": 12}
ASKED: Mapping[str, Mapping[str, Any]] = {
    "stft": {"type": "stft", "scale": "magnitude", **FRAMES},
    "mel": {"type": "mel", "n_mels": 20, **FRAMES},
    "mfcc": {"type": "mfcc", "n_mfcc": 8, "n_mels": 20, **FRAMES},
    "cqt": {"type": "cqt", **CQT},
    "vqt": {"type": "vqt", "gamma": 5.0, **CQT},
    "cfp": {"type": "cfp", "n_fft": 1600, "win_length": 801, "hop_length": 160, "f_min": 100.0, "f_max": 1000.0},
    "gammatonegram": {"type": "gammatonegram", "n_bins": 20, "f_min": 20.0, **FRAMES},
}


@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in PEERS for kind in ASKED if kind in PEERS[name].transforms and kind in TYPES],
)
def test_a_library_computes_what_specconv_does_under_its_parity(name: str, kind: str, noise: torch.Tensor) -> None:
    if PEERS[name].version() is None:
        pytest.skip(f"{name} is not installed")
    contest = Contest("parity", RATE, against=(name,), rounds=1)
    rows = contest.time_transforms([ASKED[kind]], Clips.of([noise[:2]], RATE, "noise"))
    statuses = {row.library: row.status for row in rows}
    assert any(library.startswith(name) for library in statuses)
    for library, status in statuses.items():
        if library == "nnaudio" and kind == "cfp":
            assert "blackmanharris" in status, "nnAudio's CFP runs with this SciPy again"
        elif library.endswith("CQT2010v2") or (kind == "vqt" and library.startswith("nnaudio")):
            assert status.startswith("wrong"), f"{library} no longer delays and aliases below its top octave"
        else:
            assert status == "ok", f"{library}: {status}"


@pytest.mark.parity
def test_libraries_agree_with_one_another(noise: torch.Tensor) -> None:
    given = {**ASKED["stft"], "pad_mode": "reflect", "scale": "magnitude"}
    results = {
        name: as_array(PEERS[name].prepare(given, RATE, "cpu").run(noise))
        for name in ("librosa", "torchaudio", "nnaudio", "nnaudio2")
    }
    for result in results.values():
        assert relative_error(result, results["librosa"]) < 1e-5


@pytest.mark.parity
@pytest.mark.parametrize("kind", ["mel", "mfcc"])
@pytest.mark.parametrize("name", ["librosa", "torchaudio"])
def test_decibels_of_a_clip_do_not_depend_on_its_neighbours(name: str, kind: str, noise: torch.Tensor) -> None:
    prepared = PEERS[name].prepare({**ASKED[kind], "scale": "decibel"}, RATE, "cpu")
    loud = noise * torch.tensor([1.0, 1e-5, 1.0, 1.0, 1.0, 1.0])[:, None]
    size = prepared.largest_batch or len(loud)
    together = np.concatenate([as_array(prepared.run(part)) for part in loud.split(size)])
    np.testing.assert_allclose(together[1], as_array(prepared.run(loud[1:2]))[0], atol=1e-3)


@pytest.mark.parametrize("name", list(PEERS))
def test_a_peer_says_what_it_cannot_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = PEERS[name]
    monkeypatch.setattr(peer, "version", lambda: "1")
    with pytest.raises(NotRunError, match=f"{name} has no unheard-of"):
        peer.prepare({"type": "unheard-of"}, RATE, "cpu")
    with pytest.raises(NotRunError, match="not on tpu"):
        peer.prepare(ASKED["stft"], RATE, "tpu")
    monkeypatch.setattr(peer, "version", lambda: None)
    with pytest.raises(NotRunError, match=rf"is not installed: pip install .*{name[:2]}"):
        peer.prepare(ASKED["stft"], RATE, "cpu")


def test_a_parameter_that_a_library_lacks_is_named() -> None:
    with pytest.raises(NotRunError, match="torchaudio's mfcc has no lifter"):
        PEERS["torchaudio"].prepare({**ASKED["mfcc"], "lifter": 22}, RATE, "cpu")
    with pytest.raises(NotRunError, match="librosa has no stft with log-spaced bins"):
        PEERS["librosa"].prepare({**ASKED["stft"], "freq_scale": "log", "f_min": 10.0}, RATE, "cpu")


@pytest.mark.parametrize("name", ["librosa", "torchaudio", "nnaudio", "kapre"])
def test_what_is_as_usual_in_a_library_may_be_said(name: str) -> None:
    """A config under a parity says all that this library takes for granted, also what it has no word for."""
    peer = PEERS[name]
    if peer.version() is None:
        pytest.skip(f"{name} is not installed")
    for kind in sorted({"stft", "mel"} & peer.transforms):
        resolved = transform_parameters({**ASKED[kind], "parity": peer.parity})
        peer.prepare(resolved.model_dump(exclude_unset=True), RATE, "cpu")
        if name != "librosa":
            with pytest.raises(NotRunError, match="top_db"):
                peer.prepare({**ASKED[kind], "top_db": 33.0}, RATE, "cpu")
