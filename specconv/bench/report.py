"""What a suite found, as tables for a reader and as rows for a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import ConsoleRenderable, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from specconv.bench.growth import exponent
from specconv.bench.rows import BenchReport, Published, Row
from specconv.bench.timing import WIDE_SPREAD

_LEGEND = (
    "x ours: the time relative to specconv's for the same work. x floor: relative to reading the audio and writing "
    "the specgram once, at this machine's copy speed. x real: seconds of audio a second. iqr: interquartile "
    "range of the median. first: seconds to build it and compute one clip. error: the largest, of the peak. "
    "! before a library: its result is wrong."
)


def tables(report: BenchReport) -> Group:
    """The whole report: machine, notes, times, warnings, growth, and the published figures."""
    parts: list[ConsoleRenderable] = [Text(report.title, style="bold"), Text()]
    parts += [Text(line) for line in (*report.machine.lines(), *report.notes)]
    parts += [Text(), _times(report), Text(_LEGEND, style="dim"), *_remarks(report)]
    parts += [Text(line, style="yellow") for line in warnings(report)]
    parts += [Text(line) for line in _growth(report)]
    parts += [_published(published) for published in report.published]
    return Group(*parts)


def warnings(report: BenchReport) -> list[str]:
    """Times that are not to be relied on, and specconv's own errors."""
    wide = [row for row in (*report.rows, *report.growth) if row.timing is not None and row.timing.is_wide]
    if not wide:
        return []
    worst = max(wide, key=lambda row: row.timing.spread if row.timing else 0.0)
    spread = worst.timing.spread if worst.timing else 0.0
    return [
        f"Warning: {len(wide)} of {len(report.rows) + len(report.growth)} times spread by more than "
        f"{WIDE_SPREAD:.0%} (interquartile range of the median; the worst {spread:.0%}: {worst.transform} by "
        f"{worst.library}). Something else uses this machine; run again when it is idle."
    ]


def _times(report: BenchReport) -> Table:
    has_copies = any(row.copies.total for row in report.rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    columns = ["seconds", "iqr", "x ours", "x floor", "x real", "first", "error"]
    if has_copies:
        columns += ["to device", "to host"]
    for title in columns:
        table.add_column(title, justify="right", no_wrap=True)
    for transform in dict.fromkeys(row.transform for row in report.rows):
        table.add_row(transform, style="underline")
        for row in (row for row in report.rows if row.transform == transform):
            cells = _figures(report, row)
            if has_copies and row.copies.total:
                cells += [seconds(row.copies.to_device), seconds(row.copies.to_host)]
            style = "red" if row.is_wrong else ("dim" if not row.was_run else ("bold" if row.is_ours else ""))
            table.add_row(f"{'!' if row.is_wrong else ' '} {row.library}", *cells, style=style)
        table.add_section()
    return table


def _figures(report: BenchReport, row: Row) -> list[str]:
    """The cells of a row as text."""
    timing, ratio = row.timing, report.ratio(row)
    if timing is None:
        return ["not run"]
    error = "" if row.max_rel_error is None else f"{row.max_rel_error:.0e}"
    return [
        seconds(timing.median),
        f"{timing.spread:.0%}",
        "" if ratio is None else _factor(ratio),
        _factor(timing.median / row.floor_seconds),
        f"{row.audio_seconds / timing.median:,.0f}",
        "" if row.first_call_seconds is None else seconds(row.first_call_seconds),
        error,
    ]


def _remarks(report: BenchReport) -> Iterator[Text]:
    """What is not "ok", each reason once, with the transforms it concerns."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in report.rows:
        if row.status != "ok":
            reasons.setdefault((row.library, row.status), []).append(row.transform)
    for (library, status), transforms in reasons.items():
        style = "red" if status.startswith("wrong") else "dim"
        yield Text(f"{library}, {', '.join(transforms)}: {status}", style=style)


def _growth(report: BenchReport) -> Iterator[str]:
    for suite in dict.fromkeys(row.suite for row in report.growth):
        powers = []
        for transform in dict.fromkeys(row.transform for row in report.growth):
            own = [row for row in report.growth if (row.suite, row.transform) == (suite, transform)]
            if (power := exponent(own)) is not None:
                powers.append(f"{transform} {power:.2f}")
        if powers:
            what = suite.partition(": ")[2]
            yield f"Time grows with {what} to the power of (1 is linear): {', '.join(powers)}."


def _published(published: Published) -> ConsoleRenderable:
    table = Table(title=published.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(published.columns):
        words = i < len(published.columns) - len(_numeric_tail(published.cells))
        table.add_column(column, justify="left" if words else "right")
    for cells in published.cells:
        table.add_row(*cells)
    return Group(Text(), table, Padding(Text(published.remark), (0, 0, 1, 0)))


def _numeric_tail(cells: Sequence[Sequence[str]]) -> Sequence[str]:
    """The trailing columns of the first line that hold figures."""
    tail = list(cells[0])
    while tail and not tail[0].replace(".", "").isdigit():
        tail.pop(0)
    return tail


def _factor(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def seconds(value: float) -> str:
    """Three significant digits, never in powers of ten: 0.00123, 0.123, 1.23, 123."""
    if value <= 0:
        return "0"
    decimals = 2
    while value < 10 ** (1 - decimals) and decimals < 7:
        decimals += 1
    return f"{value:.{decimals}f}" if value < 100 else f"{value:.0f}"
