from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile
import torch

from specconv.errors import ParameterError, ShardError
from specconv.executors import convert
from specconv.pipeline.recompute import recompute

CPU = torch.device("cpu")
Make = Callable[..., Path]


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    """Seven clips of different lengths at 8 kHz: chords, noise and silence."""
    root = tmp_path / "audio"
    root.mkdir()
    random = np.random.default_rng(0)
    for i in range(7):
        time = np.arange(4000 + 777 * i) / 8000
        chord = sum(np.sin(2 * np.pi * f * (1 + 0.1 * i) * time) for f in (220, 331, 497))
        samples = 0.2 * chord + 1e-3 * (i > 0) * random.standard_normal(len(time))
        soundfile.write(root / f"clip-{i}.wav", samples * (i != 3), 8000, subtype="FLOAT")
    return root


@pytest.fixture
def make(audio: Path, tmp_path: Path) -> Make:
    """Convert the clips with some transforms; the config's other keys by name."""

    def run(*transforms: dict[str, object], **other: object) -> Path:
        config = {"audio": {"sample_rate": 8000}, "transforms": list(transforms), "shards": {"clips": 3}, **other}
        convert(audio, config, tmp_path / "out", device="cpu")
        return tmp_path / "out"

    return run


STFT = {"type": "stft", "n_fft": 256, "hop_length": 64}


@pytest.mark.parametrize("scale", ["magnitude", "power", "decibel", "log", "complex", "phase"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_was_stored_is_found_again(scale: str, dtype: str, make: Make) -> None:
    out = make({**STFT, "scale": scale}, shards={"clips": 3, "dtype": dtype})
    found = recompute(out, 7, device=CPU)
    assert (found.clips, found.faults) == (7, [])
    assert found.largest <= (1e-5 if dtype == "float32" else 1e-3)


def test_clips_of_one_length(make: Make) -> None:
    out = make(STFT, audio={"sample_rate": 8000, "duration": 0.7})
    assert recompute(out, 5, device=CPU).faults == []


def test_clips_at_a_rate_of_their_own(make: Make) -> None:
    out = make({**STFT, "name": "own"}, audio={})
    assert recompute(out, 3, device=CPU).faults == []


def test_streamed_clips_have_the_same_numbers(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    out = make({**STFT, "scale": "decibel"})
    monkeypatch.setattr("specconv.pipeline.converter.LONG_BYTES", 1)
    monkeypatch.setattr("specconv.pipeline.recompute.BLOCK_FRAMES", 10)
    found = recompute(out, 7, device=CPU)
    assert (found.clips, found.faults) == (7, [])


def test_clips_are_spread_evenly_and_always_the_same(make: Make) -> None:
    out = make(STFT)
    said: list[list[str]] = [[], []]
    for seen in said:
        assert recompute(out, 3, device=CPU, progress=seen.append).clips == 3
    assert said[0] == said[1]
    assert recompute(out, 100, device=CPU).clips == 7
    assert recompute(out, 0, device=CPU).clips == 0


def test_a_changed_value_is_found(make: Make) -> None:
    out = make(STFT, {**STFT, "name": "second", "hop_length": 32})
    path = out / "shard-00001.h5"
    with h5py.File(path, "r+") as file:
        values = file["specgrams/second/values"]
        row = file["specgrams/second/offsets"][1]
        values[5, row + 2] += 1e-3 * np.abs(values[:]).max()
    found = recompute(out, 7, device=CPU)
    assert [fault.key for fault in found.faults] == ["clip-4.wav"]
    assert found.faults[0].message.startswith("second: differs by 0.00")
    assert found.largest_at == "clip-4.wav, second"


def test_changed_audio_is_found(make: Make, audio: Path) -> None:
    out = make(STFT)
    samples, rate = soundfile.read(audio / "clip-2.wav")
    soundfile.write(audio / "clip-2.wav", 1.001 * samples, rate, subtype="FLOAT")
    soundfile.write(audio / "clip-5.wav", samples, rate, subtype="FLOAT")
    (audio / "clip-6.wav").write_text("no longer audio")
    found = recompute(out, 7, device=CPU)
    assert [fault.key for fault in found.faults] == ["clip-2.wav", "clip-5.wav", "clip-6.wav"]
    changed, shorter, gone = (fault.message for fault in found.faults)
    assert "differs by 0.001" in changed
    assert "frames computed again" in shorter
    assert "cannot be read again" in gone
    assert found.clips == 6


def test_decibels_of_rounding_noise_may_differ_but_not_those_of_sound(make: Make) -> None:
    out = make({**STFT, "scale": "decibel", "amin": 1e-30, "window": "blackmanharris"})

    def change(where: Callable[[np.ndarray], np.ndarray], by: float) -> list[str]:
        path = out / "shard-00000.h5"
        before = path.read_bytes()
        with h5py.File(path, "r+") as file:
            values = file["specgrams/stft/values"]
            stored = values[:]
            assert where(stored).any()
            values[:] = np.where(where(stored), stored + by, stored)
        faults = recompute(out, 7, device=CPU).faults
        path.write_bytes(before)
        return [fault.key for fault in faults]

    assert change(lambda stored: stored < stored.max() - 120, 3.0) == []
    assert change(lambda stored: stored == stored.max(), 0.01) != []


def test_audio_elsewhere(make: Make, audio: Path, tmp_path: Path) -> None:
    out = make(STFT)
    shutil.move(audio, tmp_path / "moved")
    with pytest.raises(ParameterError, match="--audio"):
        recompute(out, 1, device=CPU)
    assert recompute(out, 7, audio=tmp_path / "moved", device=CPU).faults == []


@pytest.mark.parametrize("path", ["../secret.wav", "/etc/secret.wav"])
def test_no_audio_outside_its_folder_is_read(path: str, make: Make) -> None:
    out = make(STFT)
    with h5py.File(out / "shard-00000.h5", "r+") as file:
        file["clips/path"][0] = path
    with pytest.raises(ShardError, match="not below the audio folder"):
        recompute(out, 7, device=CPU)


def test_an_unfinished_folder(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="did not finish"):
        recompute(tmp_path, 1, device=CPU)


def test_clips_of_the_older_resampler_are_not_called_wrong(make: Make) -> None:
    out = make(STFT, audio={"sample_rate": 4000})
    assert recompute(out, 7, device=CPU).faults == []
    for path in out.glob("*.h5"):
        with h5py.File(path, "r+") as shard:
            shard.attrs["fingerprint"] = "0.1.0 " + shard.attrs["fingerprint"].partition(" ")[2]
    with pytest.raises(ParameterError, match=r"resampled by specconv 0\.1\.0, whose filter was shorter"):
        recompute(out, 7, device=CPU)


def test_clips_of_an_older_version_that_were_not_resampled_are_computed(make: Make) -> None:
    out = make(STFT)
    for path in out.glob("*.h5"):
        with h5py.File(path, "r+") as shard:
            shard.attrs["fingerprint"] = "0.1.0 " + shard.attrs["fingerprint"].partition(" ")[2]
    assert recompute(out, 7, device=CPU).faults == []


@pytest.mark.parametrize("layer", [{"layer": "normalization", "over": "freq"}, {"layer": "delta"}], ids=str)
@pytest.mark.parametrize("kind", ["cqt", "vqt", "gammatone"])
def test_layers_that_magnify_a_last_digit_accuse_nobody(kind: str, layer: dict[str, object], make: Make) -> None:
    """Stored clips were computed among others, these few alone: their digits are the same."""
    bank = {"type": kind, "n_bins": 12, "f_min": 300.0, "hop_length": 64, "scale": "decibel", "then": [layer]}
    found = recompute(make(bank), 2, device=CPU)
    assert (found.clips, found.faults, found.largest) == (2, [], 0.0)
