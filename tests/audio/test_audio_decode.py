from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from specconv.audio import AudioFormat, AudioInfo, decode, load, probe
from specconv.audio.downmix import to_mono
from specconv.errors import AudioError

# RAW has no header, SD2 keeps its header in another file: neither is told by its content. SDS is refused.
CONTAINERS = sorted(set(soundfile.available_formats()) - {"RAW", "SD2", "SDS"})


def oracle(path: Path, dtype: str) -> np.ndarray:
    """soundfile's own reading, told the length because some formats cannot seek."""
    with soundfile.SoundFile(path) as file:
        return file.read(file.frames, dtype=dtype, always_2d=True)


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_encoding_gives_what_soundfile_reads(tmp_path: Path, container: str) -> None:
    path, tried = tmp_path / "noise", 0
    for subtype, channels in product(soundfile.available_subtypes(container), (1, 2, 5)):
        if subtype.startswith("DWVW") or (container, subtype, channels) == ("PAF", "PCM_24", 5):
            continue  # where soundfile's float reading seeks and fails, or mixes up the channels
        samples = np.random.default_rng(3).uniform(-1, 1, (2400, channels))
        sample_rate = 48000 if subtype == "OPUS" else 16000
        try:
            soundfile.write(path, samples, sample_rate, subtype=subtype, format=container)
        except soundfile.LibsndfileError:
            continue  # libsndfile cannot write it
        tried += 1
        clip = decode(path)
        assert clip.waveform.shape[0] == probe(path).channels == channels
        assert clip.waveform.is_contiguous()
        single = np.stack([to_mono(block[:, None], "first") for block in clip.waveform.numpy()], 1)
        np.testing.assert_array_equal(single, oracle(path, "float32"), err_msg=f"{subtype} {channels}")
        mono = load(path, AudioFormat()).waveform.numpy()
        np.testing.assert_allclose(mono, oracle(path, "float64").mean(1), rtol=0, atol=2e-7)
    assert tried


@pytest.mark.parametrize(
    ("subtype", "dtype"),
    [
        *(("PCM_U8", torch.int16), ("PCM_16", torch.int16), ("ULAW", torch.int16)),
        *(("PCM_24", torch.int32), ("PCM_32", torch.int32)),
        *(("FLOAT", torch.float32), ("DOUBLE", torch.float32)),
    ],
)
def test_integers_stay_integers(write, subtype: str, dtype: torch.dtype) -> None:
    assert decode(write(subtype=subtype)).waveform.dtype == dtype


def test_a_midi_sample_dump_is_refused(write) -> None:
    path = write("a", subtype="PCM_16", container="SDS")
    with pytest.raises(AudioError, match=r"MIDI sample dump.*; convert it to WAV") as raised:
        probe(path)
    assert raised.value.stage == "open"


def test_probe_reads_the_header(write) -> None:
    assert probe(write(n=123, channels=2, sample_rate=11025)) == AudioInfo(123, 11025, 2)


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3"])
def test_compressed_audio_is_read_forward_in_blocks(write, monkeypatch, name: str) -> None:
    path = write(name, n=30000)
    whole = decode(path).waveform
    monkeypatch.setattr("specconv.audio.source._BLOCK_SAMPLES", 777)
    assert torch.equal(decode(path).waveform, whole)
    if name != "a.mp3":  # whose first frames differ in the last bit after soundfile's seek
        np.testing.assert_array_equal(to_mono(whole.numpy().T, "mono"), soundfile.read(path, dtype="float32")[0])


def test_first_channel_is_the_first(write) -> None:
    samples = np.array([[1000, -2000], [3000, 4000]], np.int16)
    path = write(samples=samples)
    first = load(path, AudioFormat(channels="first")).waveform
    assert torch.equal(first, torch.tensor([1000, 3000]) / 32768)


@pytest.mark.parametrize(("subtype", "largest"), [("PCM_16", 32767 / 32768), ("PCM_32", 1.0), ("FLOAT", 1e12)])
def test_mean_does_not_overflow(write, subtype: str, largest: float) -> None:
    path = write(samples=np.full((50, 10), largest), subtype=subtype)
    np.testing.assert_allclose(load(path, AudioFormat()).waveform, largest, rtol=1e-6)


def test_mean_of_three_int16_channels_is_correctly_rounded() -> None:
    block = np.random.default_rng(0).integers(-(2**15), 2**15, (1000, 3)).astype(np.int16)
    exact = (block.astype(np.int64).sum(1) / (3 * 32768)).astype(np.float32)
    np.testing.assert_array_equal(to_mono(block, "mono"), exact)


def test_a_name_says_nothing(write) -> None:
    assert decode(write("a.flac").rename(write("b.wav"))).waveform.shape == (1, 8000)


def test_bytes_without_a_header_are_no_audio(tmp_path: Path) -> None:
    for suffix in ("vox", "gsm", "au", "raw"):
        path = tmp_path / f"text.{suffix}"
        path.write_text("This is no sound, but libsndfile would play it. " * 50)
        with pytest.raises(AudioError, match="finds no audio in it"):
            decode(path)
