"""The report as pictures: bars of time with the floor marked, and curves of growth.

Colours are Okabe and Ito's (2008), which the colour blind can tell apart, and every library has a hatch of
its own as well, so that a print in black and white can be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from specconv.bench.growth import exponent
from specconv.bench.report import seconds
from specconv.bench.rows import BenchReport, Row

_BLACK, _ORANGE, _SKY, _GREEN, _YELLOW, _BLUE, _RED, _PINK = (
    *("#000000", "#E69F00", "#56B4E9", "#009E73"),
    *("#F0E442", "#0072B2", "#D55E00", "#CC79A7"),
)
_COLOURS = {
    "specconv": _BLUE,
    "librosa": _ORANGE,
    "torchaudio": _GREEN,
    "nnaudio": _PINK,
    "nnaudio2": _SKY,
    "kapre": _YELLOW,
    "bare": "#ffffff",
}
_HATCHES = {
    "specconv": ("", "||", "--"),
    "librosa": ("//", "--", "||"),
    "torchaudio": ("\\\\",),
    "nnaudio": ("..", "ooo", "**"),
    "nnaudio2": ("xx", "++", "||"),
    "kapre": ("--",),
}
_MARKERS = "osD^vPX*"
_BAR = 0.16  # inches, a bar's height


def draw(report: BenchReport, path: Path) -> None:
    """The report as one picture, in the format that the suffix of ``path`` names.

    Bars above; below them, if the suite measured it, time against clip length and against batch size.
    """
    shown = [row for row in report.rows if row.was_run]
    transforms = list(dict.fromkeys(row.transform for row in shown))
    bars_height = 0.9 + _BAR * (len(shown) + 0.8 * len(transforms))
    curves = list(dict.fromkeys(row.suite for row in report.growth))
    height = bars_height + (3.6 if curves else 0.0) + 1.0
    figure = Figure(figsize=(9.0, height), layout="constrained")
    grid = figure.add_gridspec(
        2 if curves else 1, max(len(curves), 1), height_ratios=[bars_height, 3.6] if curves else [1]
    )
    _bars(figure.add_subplot(grid[0, :]), report, shown, transforms)
    for i, suite in enumerate(curves):
        _curve(figure.add_subplot(grid[1, i]), [row for row in report.growth if row.suite == suite])
    machine = report.machine
    where = machine.gpu or f"{machine.cpu}, {machine.threads} threads"
    figure.suptitle(f"{report.title}\n{where}", fontsize=11)
    figure.savefig(path, dpi=150)


def _bars(axes: Axes, report: BenchReport, rows: Sequence[Row], transforms: Sequence[str]) -> None:
    looks = _looks(rows)
    y, ticks = 0.0, []
    fastest = min((row.floor_seconds for row in rows), default=1e-3)
    for transform in transforms:
        group = [row for row in rows if row.transform == transform]
        ticks.append(y + (len(group) - 1) / 2)
        for row in group:
            if row.timing is None:
                continue
            colour, hatch = looks[row.library]
            median, (low, high) = row.timing.median, row.timing.quartiles
            axes.barh(y, median, 0.9, color=colour, hatch=hatch, edgecolor="black", linewidth=0.5)
            axes.errorbar(median, y, xerr=[[median - low], [high - median]], color="black", elinewidth=0.8, capsize=1.5)
            axes.plot([row.floor_seconds] * 2, [y - 0.45, y + 0.45], color="black", linewidth=2.2)
            axes.annotate(
                _label(report, row),
                (high, y),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
            )
            y += 1
        y += 0.8
    axes.set_yticks(ticks, transforms)
    axes.set_ylim(y, -1.0)  # from the top down
    axes.set_xscale("log")
    slowest = max((row.timing.median for row in rows if row.timing), default=1.0)
    axes.set_xlim(fastest / 2, slowest * 6)
    audio = rows[0].audio_seconds if rows else 0.0
    clips = rows[0].clips if rows else 0
    what = "1 clip" if clips == 1 else f"{clips:,} clips"
    axes.set_xlabel(f"seconds for {what}, {audio:,.0f} s of audio (logarithmic)")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(axis="x", color="#cccccc", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    _legend(axes, looks)


def _label(report: BenchReport, row: Row) -> str:
    """The time, and how many times specconv's it is."""
    if row.timing is None:
        return ""
    ratio = report.ratio(row)
    times = "" if ratio is None else f"  {ratio:.1f} times"
    return f"{seconds(row.timing.median)} s{times}{', wrong' if row.is_wrong else ''}"


def _legend(axes: Axes, looks: dict[str, tuple[str, str]]) -> None:
    handles = [
        axes.barh(0, 0, color=colour, hatch=hatch, edgecolor="black", linewidth=0.5) for colour, hatch in looks.values()
    ]
    floor = Line2D([], [], color="black", linestyle="none", marker="|", markersize=10, markeredgewidth=2.2)
    axes.legend(
        handles=[*handles, floor],
        labels=[*looks, "floor: bytes moved at copy speed"],
        loc="lower center",
        bbox_to_anchor=(0.45, 1.0),
        ncols=4,
        fontsize=8,
        frameon=False,
    )


def _looks(rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """Colour of every library and hatch of each of its methods."""
    looks: dict[str, tuple[str, str]] = {}
    for name in dict.fromkeys(row.library for row in rows):
        library = name.split()[0].rstrip(",")
        colour, hatches = _COLOURS.get(library, "#999999"), _HATCHES.get(library, ("",))
        used = sum(1 for other in looks if other.split()[0].rstrip(",") == library)
        looks[name] = (colour, hatches[used % len(hatches)])
    return looks


def _curve(axes: Axes, rows: Sequence[Row]) -> None:
    """Time against seconds of audio, one line a transform, with a dotted line of the same time a second."""
    colours = (_BLUE, _RED, _GREEN, _PINK, _ORANGE, _BLACK, _SKY)
    for i, transform in enumerate(dict.fromkeys(row.transform for row in rows)):
        points = [row for row in rows if row.transform == transform and row.timing is not None]
        audio = [row.audio_seconds for row in points]
        times = [row.timing.median for row in points if row.timing]
        power = exponent(points)
        label = transform if power is None else f"{transform}: power {power:.2f}"
        colour, marker = colours[i % len(colours)], _MARKERS[i % len(_MARKERS)]
        axes.plot(audio, times, label=label, color=colour, marker=marker, markersize=5, linewidth=1.4)
        if times:
            axes.plot(audio, [times[-1] * a / audio[-1] for a in audio], ":", color=colour, linewidth=0.9)
    axes.set_xscale("log")
    axes.set_yscale("log")
    what = rows[0].suite.partition(": ")[2]
    shape = f"{rows[0].clips} clips" if what == "clip length" else f"clips of {rows[0].audio_seconds:.2g} s"
    axes.set_title(f"time against {what} ({shape})", fontsize=9)
    axes.set_xlabel("seconds of audio in all (dotted: exactly linear)", fontsize=8)
    axes.set_ylabel("seconds", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(color="#dddddd", linewidth=0.5)
    axes.legend(fontsize=7, frameon=False)
