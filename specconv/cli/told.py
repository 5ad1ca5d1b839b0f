"""What ``specconv convert`` tells: what it found, what failed, what it made or would make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from specconv.cli.results import facts, span, underflow
from specconv.datasets import Listing, Skipped, readable
from specconv.messages import byte_size, printable
from specconv.pipeline import Estimate, Report

MOST_NAMED = 3
MOST_REASONS = 6


def found(listing: Listing) -> str:
    """Which dataset, why, how many clips; what was skipped, counted by reason, the first few named."""
    lines = [f"Found {listing.dataset.title} ({listing.reason}): {len(listing.clips):,} clips"]
    reasons: dict[str, list[Skipped]] = defaultdict(list)
    for skip in listing.skipped:
        reasons[skip.reason].append(skip)
    if reasons:
        lines.append(f"Skipped {len(listing.skipped):,}:")
    most_first = sorted(reasons.items(), key=lambda item: -len(item[1]))
    for reason, skipped in most_first[:MOST_REASONS]:
        names = [readable(skip.path.relative_to(listing.root)) for skip in skipped]
        lines.append(f"  {len(skipped):,} x {reason}: {_first(names)}")
    if len(most_first) > MOST_REASONS:
        lines.append(f"  and for {len(most_first) - MOST_REASONS:,} other reasons")
    return "\n".join(lines)


def failed(report: Report) -> str:
    """How many clips, the first few with their reasons, and where all are."""
    lines = [f"{len(report.failures):,} clips could not be converted:"]
    lines += [f"  {printable(f.path)}: {f.stage}: {f.reason}" for f in report.failures[:MOST_NAMED]]
    if len(report.failures) > MOST_NAMED:
        lines.append("  …")
    return "\n".join([*lines, f"All are in {report.out / 'errors.jsonl'}"])


def report_table(report: Report) -> RenderableType:
    stages = ", ".join(f"{stage} {span(seconds)}" for stage, seconds in report.seconds.items())
    kept = f" ({report.kept_clips:,} more were there)" if report.kept_clips else ""
    return facts(
        [
            ("clips", f"{report.clips:,}{kept}"),
            ("failed", f"{len(report.failures):,}"),
            *underflow(report.float16_underflow),
            ("audio", span(report.audio_seconds)),
            ("shards", f"{report.shards:,} new, {report.kept_shards:,} kept"),
            ("size", byte_size(report.bytes)),
            ("time", span(report.wall_seconds) + (f" ({stages})" if report.shards else "")),
            *([] if report.times_realtime is None else [("speed", f"{report.times_realtime:,.3g} x realtime")]),
            ("folder", str(report.out)),
        ]
    )


def report_values(report: Report, listing: Listing, device: str) -> dict[str, Any]:
    """The report for a script."""
    return {
        **asdict(report),
        "out": str(report.out),
        "failed": len(report.failures),
        "times_realtime": report.times_realtime,
        "device": device,
        **_listing_values(listing),
    }


def estimate_table(estimate: Estimate) -> RenderableType:
    unreadable = [("unreadable", f"{estimate.unreadable:,} clips, by their headers")] if estimate.unreadable else []
    return facts(
        [
            ("clips", f"{estimate.clips:,}"),
            *unreadable,
            ("audio", span(estimate.audio_seconds)),
            ("shards", f"{estimate.shards:,}"),
            ("size", f"{byte_size(estimate.bytes)} before compression"),
        ]
    )


def estimate_values(estimate: Estimate, listing: Listing, out: Path) -> dict[str, Any]:
    """The estimate for a script."""
    return {"out": str(out), **asdict(estimate), **_listing_values(listing)}


def _listing_values(listing: Listing) -> dict[str, Any]:
    return {
        "dataset": listing.dataset.name,
        "audio": str(listing.root),
        "reason": listing.reason,
        "skipped": len(listing.skipped),
    }


def _first(names: Sequence[str]) -> str:
    return ", ".join(map(printable, names[:MOST_NAMED])) + (" …" if len(names) > MOST_NAMED else "")
