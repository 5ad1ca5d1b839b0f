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

from specconv.cli.remaining import remaining_rows, remaining_values
from specconv.cli.results import columns, facts, span, underflow
from specconv.messages import byte_size
from specconv.shards import open_shard, read_index, remaining, shard_paths, summary
from specconv.shards.layout import TYPE_NAMES, UNKNOWN_LABELS, SpecgramSpec
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
    lacking = None if read_index(folder) else remaining(folder)
    if lacking is not None and lacking.plan is not None and not shard_paths(folder):
        rows = [("folder", str(folder)), ("finished", "no"), *remaining_rows(folder, lacking)]
        values = {"folder": str(folder), "finished": False, "shards": 0, **remaining_values(folder, lacking)}
        return Described(facts(rows), values)
    held = summary(folder)
    dataset = held.dataset or "not known before it is finished"
    made = ", ".join(f"{name} {version}" for name, version in held.versions.items())
    found = [held.specgrams[name] for name in sorted(held.specgrams, key=_natural)]
    specgrams = [_specgram(one.spec, one.n_frames, one.size, one.underflow) for one in found]
    rows = [
        ("folder", str(folder)),
        ("dataset", dataset),
        *([("finished", str(held.created)), ("made by", made)] if held.finished else [("finished", "no")]),
        ("clips", f"{held.clips:,} ({held.failed:,} failed)"),
        ("audio", span(held.hours * 3600)),
        ("shards", f"{held.shards:,}, {byte_size(held.size)}"),
        *([] if held.notes is None else [("notes", f"{held.notes:,}")]),
        *_format_rows(specgrams),
        *underflow({name: one.underflow for name, one in held.specgrams.items()}),
        *(remaining_rows(folder, lacking) if lacking else []),
    ]
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
        **(remaining_values(folder, lacking) if lacking else {}),
    }
    labels = [(name, label.type, _spread(label)) for name, label in held.labels.items()]
    return Described(
        Group(facts(rows), _specgram_table(specgrams), columns("label", "type", "values (clips)", rows=labels)), values
    )


def in_shard(path: Path) -> Described:
    """Raises ShardError."""
    with open_shard(path.parent, path.name) as shard:
        found = [shard.specgrams(name) for name in sorted(shard.names, key=_natural)]
        specgrams = [_specgram(held.spec, held.n_frames, held.size, held.underflow) for held in found]
        labels = {name: TYPE_NAMES[kind] for name, kind in shard.label_types.items()}
        notes = len(shard.notes()) if shard.has_notes else None
        rows = [
            ("shard", str(path)),
            ("clips", f"{shard.n_clips:,} ({len(shard.failures):,} failed)"),
            ("size", byte_size(shard.size)),
            ("labels", ", ".join(f"{name} ({kind})" for name, kind in labels.items()) or "none"),
            *([] if notes is None else [("notes", f"{notes:,}")]),
            *_format_rows(specgrams),
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
        ("memory", f"{byte_size(total)} per second of audio, {byte_size(total * 3600)} per hour"),
    ]
    table = columns(
        *("transform", "bins>", "hop>", "frames/s>", "Hz>", "units", "memory/s>"),
        rows=[
            (
                t["name"],
                str(t["n_bins"]),
                str(t["hop_length"]),
                f"{rate / t['hop_length']:.4g}",
                _band_cell(t),
                t["units"],
                byte_size(t["bytes_per_second"]),
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


def _format_rows(specgrams: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What all specgrams of a conversion have in common."""
    rates = sorted({f"{one['sample_rate']:g} Hz" for one in specgrams})
    return [("sample rate", ", ".join(rates)), ("values", ", ".join(sorted({one["dtype"] for one in specgrams})))]


def _specgram_table(specgrams: Sequence[Mapping[str, Any]]) -> RenderableType:
    lengths_differ = any(one["n_frames"] is None for one in specgrams)
    return columns(
        *("transform", "bins>", "all frames>" if lengths_differ else "frames>", "hop>", "Hz>", "units", "size>"),
        rows=[
            (
                one["name"],
                str(one["n_bins"]),
                f"{one['all_frames'] if lengths_differ else one['n_frames']:,}",
                str(one["hop_length"]),
                _band_cell(one),
                one["units"],
                byte_size(one["bytes"]),
            )
            for one in specgrams
        ],
    )


def _band(center_frequencies: NDArray[np.float64]) -> dict[str, float | None]:
    """The lowest and highest bin, Hz; None where bins are no frequencies."""
    known = center_frequencies[np.isfinite(center_frequencies)]
    ends = (float(known.min()), float(known.max())) if len(known) else (None, None)
    return {"lowest_hz": ends[0], "highest_hz": ends[1]}


def _band_cell(specgram: Mapping[str, Any]) -> str:
    lowest, highest = specgram["lowest_hz"], specgram["highest_hz"]
    return "" if lowest is None else f"{lowest:,.1f} to {highest:,.0f}"


def _spread(label: LabelSummary) -> str:
    """The most frequent values with their counts, or the range of numbers too many to list; unknown ones last."""
    known = {value: n for value, n in label.counts.items() if value not in UNKNOWN_LABELS}
    unknown = sum(label.counts.values()) - sum(known.values())
    numbers = [value for value in known if not isinstance(value, str)]
    if numbers and len(known) > MOST_VALUES:
        parts = [f"{min(numbers):g} to {max(numbers):g}"]
    else:
        parts = [f"{value} ({n:,})" for value, n in islice(known.items(), MOST_VALUES)]
        parts += [f"{len(known) - MOST_VALUES:,} more"] if len(known) > MOST_VALUES else []
    return ", ".join([*parts, *([f"unknown ({unknown:,})"] if unknown else [])])
