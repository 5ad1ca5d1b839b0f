"""Small shards, and a folder of them, made as a conversion makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from specconv.notes import NOTE_DTYPE
from specconv.shards import ClipRow, ShardEntry, ShardWriter, SpecgramSpec, create_shard, shard_name, write_index

LABELS = {"root": str, "octave": int, "loudness": float}
CONFIG = "transforms:\n- type: mel\n"


def make_spec(name: str = "mel", *, n_bins: int = 6, n_frames: int | None = 5, dtype: str = "float32") -> SpecgramSpec:
    return SpecgramSpec(
        name=name,
        n_bins=n_bins,
        dtype=dtype,
        axes=("frequency", "time"),
        sample_rate=16000.0,
        hop_length=512,
        units="dB",
        parameters='{"n_fft": 1024}',
        center_frequencies=np.linspace(0, 8000, n_bins),
        n_frames=n_frames,
    )


def make_row(i: int, *, n_notes: int = 0) -> ClipRow:
    notes = np.zeros(n_notes, NOTE_DTYPE)
    notes["onset_s"] = np.arange(n_notes) + i
    notes["offset_s"] = notes["onset_s"] + 0.5
    notes["pitch"], notes["velocity"], notes["instrument"] = 60 + i, 90, -1
    labels: dict[str, str | int | float] = {
        "root": "Cn" if i % 2 else "Df",
        "octave": i % 3,
        "loudness": i / 4,
    }
    return ClipRow(f"clip {i:03d}", f"audio/clip {i:03d}.wav", 16000, 64000 + i, labels, notes)


def make_values(i: int, n_frames: int, n_bins: int = 6) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(i).standard_normal((n_bins, n_frames)).astype(np.float32)


def open_writer(path: Path, *specs: SpecgramSpec, **changes: Any) -> ShardWriter:
    given: dict[str, Any] = {
        "label_fields": LABELS,
        "has_notes": True,
        "config_yaml": CONFIG,
        "fingerprint": "0f",
    }
    return create_shard(path.parent, path.name, specs or (make_spec(),), **(given | changes))


def n_frames_of(i: int, ragged: bool) -> int:
    return 1 + i % 7 if ragged else 5


def write_shard(folder: Path, number: int, clips: range, *, ragged: bool = False, **changes: Any) -> ShardEntry:
    spec = make_spec(n_frames=None if ragged else 5)
    with open_writer(folder / shard_name(number), spec, **changes) as writer:
        rows = [make_row(i, n_notes=i % 3) for i in clips]
        writer.append(rows, {"mel": [make_values(i, n_frames_of(i, ragged)) for i in clips]})
        return writer.close()


def write_folder(folder: Path, *, ragged: bool = False, compression: str = "none") -> Path:
    """A finished folder of 3 shards of 4, 0 and 3 clips; clip i has values make_values(i) and i % 3 notes."""
    folder.mkdir()
    ranges = [range(4), range(4, 4), range(4, 7)]
    shards = [
        write_shard(folder, number, clips, ragged=ragged, compression=compression)
        for number, clips in enumerate(ranges)
    ]
    write_index(
        folder,
        dataset="folder",
        audio=folder.parent / "audio",
        config_yaml=CONFIG,
        specs=[make_spec(n_frames=None if ragged else 5)],
        label_fields=LABELS,
        has_notes=True,
        shards=shards,
    )
    return folder
