"""Formats that libsndfile lacks: their samples are those that were encoded, whole or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from specconv.audio import AudioFormat, load, probe, stream
from specconv.errors import AudioError

av = pytest.importorskip("av")

RATE, N_SAMPLES = 48_000, 100_000
# container, codec, and the most that the root mean square of the error may be, of the signal's: of AAC and Opus twice
# what was measured
WRITTEN = {
    "clip.m4a": ("mp4", "aac", 0.11),
    "clip.mov": ("mov", "pcm_s16le", 1e-4),
    "clip.mka": ("matroska", "flac", 1e-4),
    "clip.webm": ("webm", "libopus", 0.03),
    "clip.wv": ("wv", "wavpack", 1e-4),
    "clip.tta": ("tta", "tta", 1e-4),
}
JOINED_AS_ONE = {"clip.aac": ("adts", "aac")}  # a stream of frames, whose end says nothing


def chirp() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A tone that rises from 200 to 4,000 Hz: it fits itself at one place only."""
    time = np.arange(N_SAMPLES) / RATE
    duration = N_SAMPLES / RATE
    return (0.3 * np.sin(2 * np.pi * (200 * time + 3800 / duration * time**2 / 2))).astype(np.float32)


def write(path: Path, container: str, codec: str) -> Path:
    with av.open(str(path), "w", format=container) as file:
        track = file.add_stream(codec, rate=RATE)
        track.layout = "mono"
        coder = track.codec_context
        if codec in ("flac", "wavpack", "tta"):
            coder.format = {"flac": "s16", "wavpack": "s16p", "tta": "s16"}[codec]
        whole = av.AudioFrame.from_ndarray(chirp()[None], format="fltp", layout="mono")
        whole.sample_rate, whole.pts = RATE, 0
        cut = av.AudioResampler(coder.format, "mono", RATE, frame_size=coder.frame_size or 1024)
        for frame in [*cut.resample(whole), *cut.resample(None), None]:
            for packet in track.encode(frame):
                file.mux(packet)
    return path


@pytest.mark.parametrize("name", WRITTEN)
def test_samples_are_those_that_were_encoded(tmp_path: Path, name: str) -> None:
    container, codec, error = WRITTEN[name]
    clip = load(write(tmp_path / name, container, codec), AudioFormat())
    assert (clip.n_samples, clip.sample_rate) == (N_SAMPLES, RATE)
    found, expected = clip.waveform.numpy(), chirp()
    likeness = np.fft.irfft(np.fft.rfft(found, 2 * N_SAMPLES) * np.fft.rfft(expected, 2 * N_SAMPLES).conj())
    assert likeness.argmax() == 0  # no sample of priming too many or too few
    assert np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2)) < error


@pytest.mark.parametrize("name", WRITTEN)
def test_a_stream_and_a_part_have_the_samples_of_the_whole(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, *WRITTEN[name][:2])
    whole = load(path, AudioFormat()).waveform
    with stream(path, AudioFormat(), 7000) as blocks:
        assert torch.equal(torch.cat(list(blocks)), whole)
    assert torch.equal(load(path, AudioFormat(duration=1.0)).waveform, whole[:RATE])


@pytest.mark.parametrize("name", WRITTEN)
def test_joined_files_are_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, *WRITTEN[name][:2])
    path.write_bytes(2 * path.read_bytes())
    for read in (lambda: load(path, AudioFormat()), lambda: probe(path)):
        with pytest.raises(AudioError, match="joined end to end"):
            read()


@pytest.mark.parametrize("name", JOINED_AS_ONE)
def test_streams_of_frames_are_joined(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, *JOINED_AS_ONE[name])
    one = load(path, AudioFormat()).n_samples
    path.write_bytes(2 * path.read_bytes())
    assert load(path, AudioFormat()).n_samples == 2 * one


@pytest.mark.parametrize("name", [name for name in WRITTEN if name != "clip.webm"])
def test_a_file_that_was_cut_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, *WRITTEN[name][:2])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(AudioError):
        load(path, AudioFormat())
