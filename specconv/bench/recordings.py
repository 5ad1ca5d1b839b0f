"""The audio of the published experiments: the corpus itself where it is at hand, else audio of its shape.

The time of a transform does not depend on what it hears, so chords of decaying tones stand in for pianos.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from specconv.audio import AudioFormat, load, probe
from specconv.bench.clips import Batch, Chunk, Clips
from specconv.datasets import ClipRef, open_dataset
from specconv.errors import DatasetError

SAMPLE_RATE = 44_100  # Hz, of both corpora
MAPS_CLIPS = 1_770
MAPS_FIRST, MAPS_LAST = 20_000, 100_000  # samples: what lies before is mostly silence
MUSICNET_RECORDINGS, MUSICNET_HOURS = 320, 34.0
_MINUTE = 60 * SAMPLE_RATE


def maps_clips(audio: Path | None, at_most: int | None) -> Clips:
    """Samples 20,000 to 100,000 of every UCHO clip of the piano AkPnBcht, or so many chords.

    audio: the folder of MAPS or of a part of it. at_most: so many clips, evenly chosen; None for all 1,770.
    Raises DatasetError if the folder holds no such clip that is long enough.
    """
    if audio is None:
        n = min(at_most or MAPS_CLIPS, MAPS_CLIPS)
        waveforms = chords(n, MAPS_LAST - MAPS_FIRST)
        return Clips.of([waveforms], SAMPLE_RATE, f"{n:,} generated chords of 80,000 samples, the shape of MAPS")
    refs = [
        ref
        for ref in open_dataset(audio, "maps").clips
        if ref.labels["piano"] == "AkPnBcht" and ref.labels["set"] == "UCHO"
    ]
    long_enough = [ref for ref in refs if probe(ref.path).n_samples >= MAPS_LAST]
    if not long_enough:
        raise DatasetError(
            f"{audio}: {len(refs)} clips of AkPnBcht/UCHO, none with {MAPS_LAST:,} samples; "
            "give the folder of MAPS, or none to take generated audio"
        )
    chosen = _evenly(long_enough, at_most)
    mono = AudioFormat(SAMPLE_RATE, duration=MAPS_LAST / SAMPLE_RATE)
    waveforms = torch.stack([load(ref.path, mono).waveform[MAPS_FIRST:MAPS_LAST] for ref in chosen])
    passed = f", {len(refs) - len(long_enough)} passed over as too short" if len(refs) > len(long_enough) else ""
    return Clips.of([waveforms], SAMPLE_RATE, f"{len(chosen):,} clips of MAPS AkPnBcht/UCHO{passed}")


def musicnet_recordings(audio: Path | None, minutes: float | None) -> Clips:
    """MusicNet's 320 training recordings, one a batch and read when its turn comes; or audio as long.

    audio: the folder of MusicNet. minutes: only so much from the start of the first; None for all 34 hours.
    """
    if audio is None:
        if minutes is not None:
            waveform = chords(1, round(minutes * _MINUTE))
            return Clips.of([waveform], SAMPLE_RATE, f"{minutes:g} min of generated chords")
        lengths = _recording_lengths()
        minute = chords(1, _MINUTE)

        def read(i: int) -> Chunk:
            return [Batch(minute.repeat(1, -(-lengths[i] // _MINUTE))[:, : lengths[i]])]

        description = f"{len(lengths)} generated recordings, {MUSICNET_HOURS:g} h in all"
        return Clips(lengths, len(lengths), read, SAMPLE_RATE, description)
    refs = [ref for ref in open_dataset(audio, "musicnet").clips if ref.labels["split"] == "train"]
    if not refs:
        raise DatasetError(f"{audio}: holds no training recording of MusicNet; give the folder of train_data")
    if minutes is not None:
        first = load(refs[0].path, AudioFormat(SAMPLE_RATE, duration=60 * minutes))
        description = f"the first {minutes:g} min of MusicNet's recording {refs[0].id}"
        return Clips.of([first.waveform[None]], SAMPLE_RATE, description)
    whole = AudioFormat(SAMPLE_RATE)
    lengths = [probe(ref.path).n_samples for ref in refs]
    return Clips(
        lengths,
        len(refs),
        lambda i: [Batch(load(refs[i].path, whole).waveform[None])],
        SAMPLE_RATE,
        f"{len(refs)} recordings of MusicNet, {sum(lengths) / SAMPLE_RATE / 3600:.1f} h",
    )


def chords(n_clips: int, n_samples: int, *, seed: int = 0) -> torch.Tensor:
    """Clips ``(n_clips, n_samples)`` float32 at 44.1 kHz: three decaying tones each, and a little noise.

    Peak below 1. The same seed gives the same clips.
    """
    random = np.random.default_rng(seed)
    time = torch.arange(n_samples, dtype=torch.float64) / SAMPLE_RATE
    clips = torch.from_numpy(random.standard_normal((n_clips, n_samples), dtype=np.float32)).mul_(1e-3)
    for clip in clips:
        for pitch in random.integers(36, 96, size=3):
            frequency = 440.0 * 2.0 ** ((int(pitch) - 69) / 12)
            clip += (0.3 * torch.exp(-time) * torch.sin(2 * torch.pi * frequency * time)).float()
    return clips


def _recording_lengths() -> list[int]:
    """Samples of 320 recordings that last 34 h together, as unequal as MusicNet's (most 2 to 12 min)."""
    weights = np.random.default_rng(0).lognormal(sigma=0.5, size=MUSICNET_RECORDINGS)
    samples = weights / weights.sum() * MUSICNET_HOURS * 3600 * SAMPLE_RATE
    return [int(n) for n in samples]


def _evenly(refs: Sequence[ClipRef], at_most: int | None) -> list[ClipRef]:
    if at_most is None or at_most >= len(refs):
        return list(refs)
    return [refs[i * len(refs) // at_most] for i in range(at_most)]
