"""The tables of a sweep: what each transform makes, what reading costs, and the times."""

from __future__ import annotations

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from specconv.bench.report import seconds, tables
from specconv.bench.rows import Row
from specconv.bench.sweep import ALL, SweepReport
from specconv.messages import byte_size


def sweep_tables(report: SweepReport) -> Group:
    """A report, also one that is not finished."""
    read = ", ".join(f"{stage} {seconds(spent)} s" for stage, spent in report.stages.items())
    left_out = [Text(f"{name}: {reason}", style="red") for name, reason in report.unreadable]
    return Group(tables(report), Text(f"Reading the folder once, in one thread: {read}."), *left_out, _shapes(report))


def _shapes(report: SweepReport) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("transform", no_wrap=True)
    for title in ("bins", "frames", "stores", "seconds", "x real", "decode/resample\n/compute"):
        table.add_column(title, justify="right", no_wrap=True)
    ours = {row.transform: row for row in report.rows if row.library == "specconv"}
    for name, shape in report.shapes.items():
        cells = [name, f"{shape.n_bins:,}", f"{shape.n_frames:,}", byte_size(shape.bytes)]
        table.add_row(*cells, *(_times(ours[name], report) if name in ours else ()))
    total = sum(shape.bytes for shape in report.shapes.values())
    table.add_section()
    table.add_row(ALL, "", "", byte_size(total), *(_times(ours[ALL], report) if ALL in ours else ()), style="bold")
    return table


def _times(row: Row, report: SweepReport) -> list[str]:
    """Seconds, times faster than real time, and what share of a run with this alone each stage would have."""
    if row.timing is None:
        return []
    stages = [*report.stages.values(), row.timing.median]
    shares = "/".join(f"{stage / sum(stages):.0%}" for stage in stages)
    return [seconds(row.timing.median), f"{row.audio_seconds / row.timing.median:,.0f}", shares]
