"""What ``specconv info`` says of a folder of shards, of one shard, and of a config."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType

from specconv.cli.results import columns, facts, size, span, underflow
from specconv.shards import open_shard, summary
from specconv.shards.layout import TYPE_NAMES, SpecgramSpec
from specconv.shards.summary import LabelSummary

ASSUMED_RATE = 44_100  # Hz, for a config that leaves clips their own
MOST_VALUES = 6  # of a label


@dataclass(frozen=True)
class Described:
    """The same for a reader and for a script."""

    table: RenderableType
    values: dict[str, Any]


def in_folder(folder: Path) -> Described:
    """Raises ShardError."""
    held = summary(folder)
    dataset = held.dataset or "not known before it is finished"
    made = ", ".join(f"{name} {version}" for name, version in held.versions.items())
    rows = [
        ("folder", str(folder)),
        ("dataset", dataset),
        ("finished", f"{held.created} ({made})" if held.finished else "no: run the same convert command again"),
        ("clips", f"{held.clips:,} ({held.failed:,} failed)"),
        ("audio", span(held.hours * 3600)),
        ("shards", f"{held.shards:,}, {size(held.size)}"),
        *([] if held.notes is None else [("notes", f"{held.notes:,}")]),
        *underflow({name: one.underflow for name, one in held.specgrams.items()}),
    ]
    found = [held.specgrams[name] for name in sorted(held.specgrams, key=_natural)]
    specgrams = [_specgram(one.spec, one.n_frames, one.size, one.underflow) for one in found]
    values = {
        "folder": str(folder),
        "finished": held.finished,
        "dataset": held.dataset,
        "created": held.created,
        "versions": dict(held.versions),
        "clips": held.clips,
        "failed": held.failed,
        "hours": held.hours,
        "shards": held.shards,
        "bytes": held.size,
        "notes": held.notes,
        "specgrams": specgrams,
        "labels": {
            name: {"type": label.type, "counts": {str(value): n for value, n in label.counts.items()}}
            for name, label in held.labels.items()
        },
        "config": held.config,
    }
    labels = [(name, label.type, _spread(label)) for name, label in held.labels.items()]
    return Described(
        Group(facts(rows), _specgram_table(specgrams), columns("label", "type", "values (clips)", rows=labels)), values
    )


def in_shard(path: Path) -> Described:
    """Raises ShardError."""
    with open_shard(path) as shard:
        found = [shard.specgrams(name) for name in sorted(shard.names, key=_natural)]
        specgrams = [_specgram(held.spec, held.n_frames, held.size, held.underflow) for held in found]
        labels = {name: TYPE_NAMES[kind] for name, kind in shard.label_types.items()}
        notes = len(shard.notes()) if shard.has_notes else None
        rows = [
            ("shard", str(path)),
            ("clips", f"{shard.n_clips:,} ({len(shard.failures):,} failed)"),
            ("size", size(shard.size)),
            ("labels", ", ".join(f"{name} ({kind})" for name, kind in labels.items()) or "none"),
            *([] if notes is None else [("notes", f"{notes:,}")]),
            *underflow({held.spec.name: held.underflow for held in found}),
        ]
        values = {
            "shard": str(path),
            "clips": shard.n_clips,
            "failed": len(shard.failures),
            "bytes": shard.size,
            "specgrams": specgrams,
            "labels": labels,
            "notes": notes,
            "config": shard.config,
        }
    return Described(Group(facts(rows), _specgram_table(specgrams)), values)


def in_config(path: Path) -> Described:
    """The transforms as they will be built. Raises ConfigError, ParameterError."""
    from specconv.config import load_config
    from specconv.transforms import build_transform

    job = load_config(path)
    rate = job.audio.sample_rate or ASSUMED_RATE
    job.check(rate)
    transforms = []
    for parameters in job.transforms:
        transform = build_transform(parameters, rate)
        item = 8 if transform.units == "complex" else np.dtype(job.shards.dtype).itemsize
        described: dict[str, Any] = {
            "name": transform.name,
            "type": parameters.type,
            "n_bins": transform.n_bins,
            "hop_length": transform.hop_length,
            "units": transform.units,
            **_band(transform.center_frequencies),
            "bytes_per_second": transform.n_bins * item * rate / transform.hop_length,
            "parameters": parameters.model_dump(mode="json"),
        }
        transforms.append(described)
    total = sum(transform["bytes_per_second"] for transform in transforms)
    audio, shards = job.audio, job.shards
    assumed = "" if audio.sample_rate else f"each clip's own; {ASSUMED_RATE} Hz is assumed below"
    rows = [
        ("config", str(path)),
        ("sample rate", assumed or f"{rate} Hz"),
        ("channels", audio.channels),
        ("duration", span(audio.duration) if audio.duration else "each clip's own"),
        ("shards", f"at most {shards.clips:,} clips, {shards.dtype}, compression {shards.compression}"),
        ("memory", f"{size(total)} per second of audio, {size(total * 3600)} per hour"),
    ]
    table = columns(
        *("transform", "bins>", "hop>", "frames/s>", "from>", "to>", "units", "memory/s>"),
        rows=[
            (
                t["name"],
                str(t["n_bins"]),
                str(t["hop_length"]),
                f"{rate / t['hop_length']:.4g}",
                *_band_cells(t),
                t["units"],
                size(t["bytes_per_second"]),
            )
            for t in transforms
        ],
    )
    values = {
        "config": str(path),
        "sample_rate": audio.sample_rate,
        "assumed_sample_rate": None if audio.sample_rate else ASSUMED_RATE,
        "channels": audio.channels,
        "duration": audio.duration,
        "shards": shards.model_dump(mode="json"),
        "transforms": transforms,
        "bytes_per_second": total,
    }
    return Described(Group(facts(rows), table), values)


def _natural(name: str) -> list[tuple[int, str]]:
    """HDF5 lists names by their letters; people put mel-64 before mel-128."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def _specgram(spec: SpecgramSpec, n_frames: int, n_bytes: int, underflow: float | None) -> dict[str, Any]:
    return {
        "name": spec.name,
        "n_bins": spec.n_bins,
        "n_frames": spec.n_frames,
        "all_frames": n_frames,
        "dtype": spec.dtype,
        "units": spec.units,
        "sample_rate": spec.sample_rate,
        "hop_length": spec.hop_length,
        **_band(spec.center_frequencies),
        "bytes": n_bytes,
        "float16_underflow": underflow,
        "parameters": spec.parameters,
    }


def _specgram_table(specgrams: Sequence[Mapping[str, Any]]) -> RenderableType:
    return columns(
        *("transform", "bins>", "frames>", "hop>", "rate>", "from>", "to>", "units", "type", "size>"),
        rows=[
            (
                one["name"],
                str(one["n_bins"]),
                str(one["n_frames"] or f"{one['all_frames']:,} in all"),
                str(one["hop_length"]),
                f"{one['sample_rate']:g} Hz",
                *_band_cells(one),
                one["units"],
                one["dtype"],
                size(one["bytes"]),
            )
            for one in specgrams
        ],
    )


def _band(center_frequencies: NDArray[np.float64]) -> dict[str, float | None]:
    """The lowest and highest bin, Hz; None where bins are no frequencies."""
    known = center_frequencies[np.isfinite(center_frequencies)]
    ends = (float(known.min()), float(known.max())) if len(known) else (None, None)
    return {"lowest_hz": ends[0], "highest_hz": ends[1]}


def _band_cells(specgram: Mapping[str, Any]) -> list[str]:
    ends = (specgram["lowest_hz"], specgram["highest_hz"])
    return ["" if end is None else f"{end:,.1f} Hz" for end in ends]


def _spread(label: LabelSummary) -> str:
    """The most frequent values with their counts, or the range of numbers too many to list."""
    if label.smallest is not None and len(label.counts) > MOST_VALUES:
        return f"{label.smallest:g} to {label.largest:g}"
    shown = ", ".join(f"{value} ({n:,})" for value, n in islice(label.counts.items(), MOST_VALUES))
    return shown + (f", {len(label.counts) - MOST_VALUES:,} more" if len(label.counts) > MOST_VALUES else "")
