"""Specgrams as pictures, with true axes: seconds, and Hz where each transform's bins are.

A bin is a row of equal height, so an STFT's axis is linear, a mel's is mel and a constant-Q's is logarithmic; the
ticks stand where their frequencies are among the bins. Magnitudes, powers and complex values are shown in decibels
below their maximum, everything else as it is stored.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from specconv.errors import Fault, ParameterError, ShardError
from specconv.messages import printable
from specconv.shards import ShardDataset, read_index
from specconv.shards.layout import UNKNOWN_LABELS
from specconv.storage import local_path, output_error

FORMATS = (".png", ".pdf", ".svg")
RANGE_DB = 80.0  # shown below the maximum
LONGEST = 30.0  # s; of a longer clip EXCERPT s from its middle are shown
EXCERPT = 20.0
MOST_CLIPS = 6
MOST_BINS, MOST_FRAMES = 300, 1000  # drawn; a panel has fewer pixels
CANDIDATES = 5  # clips of which the one of middling contrast stands for all
LOUDNESS, ANGLE = "magma", "twilight"  # perceptually uniform; the second is cyclic

Values = NDArray[Any]


@dataclass(frozen=True)
class Panel:
    """One specgram as it is drawn. values: (n_bins, n_frames). first: s, where its excerpt begins.

    title: its lines.
    """

    title: Sequence[str]
    values: Values
    unit: str
    low: float
    high: float
    first: float
    hop: float
    frequencies: NDArray[np.float64]

    @property
    def look(self) -> tuple[str, float, float]:
        """Panels of the same look share a colour bar."""
        return self.unit, self.low, self.high


def draw(folder: Path, to: Path, *, clip: str | None = None) -> list[str]:
    """Draw every transform of one clip, or several clips of a single transform; return the ids of the clips.

    to: a file that ends in one of FORMATS. clip: an id; None for a choice that stands for all.
    Raises ParameterError for another ending or an unknown clip, ShardError, OutputError.
    """
    to = local_path(to)
    if to.suffix.lower() not in FORMATS:
        raise ParameterError([Fault("--to", f"{to.name!r} ends in none of {', '.join(FORMATS)}")])
    index = read_index(folder)
    if index is None:
        raise ShardError(f"{folder} has no index.json: its conversion did not finish; run the same command again")
    datasets = [ShardDataset(folder, name) for name in index.specgrams]
    if not datasets or not len(datasets[0]):
        raise ShardError(f"{folder} holds no clips: all of them failed, see errors.jsonl")
    ids = [str(id_) for id_ in datasets[0].labels("id")]
    if clip is None and len(datasets) == 1:
        rows = _evenly(len(ids), MOST_CLIPS)
        panels = _in_one_range([_panel(datasets[0], row, _named(datasets[0], row)) for row in rows])
        title = f"{datasets[0].name}: {_shape(datasets[0])}"
        columns = min(3, len(panels))
    else:
        rows = [_median_clip(datasets[0]) if clip is None else _row(ids, clip)]
        panels = [_panel(data, rows[0], [f"{data.name}: {_shape(data)}"]) for data in datasets]
        title = ", ".join(_named(datasets[0], rows[0]))
        columns = max(1, int(math.sqrt(0.75 * len(panels))))
    figure = _figure(panels, title, columns)
    try:
        figure.savefig(to, dpi=150)
    except OSError as error:
        raise output_error(to, error) from error
    return [ids[row] for row in rows]


def _figure(panels: Sequence[Panel], title: str, columns: int) -> Figure:
    n_rows = math.ceil(len(panels) / columns)
    width, height = {1: (9.0, 2.5), 2: (5.6, 2.5)}.get(columns, (3.9, 2.3))
    figure = Figure(figsize=(width * columns + 0.6, height * n_rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    cells = figure.subplots(n_rows, columns, squeeze=False)
    shared = len({panel.look for panel in panels}) == 1
    image = None
    for i, panel in enumerate(panels):
        axes = cells[i // columns, i % columns]
        image = _draw(axes, panel)
        lines = [_shortened(line, int(13 * (width - 0.9))) for line in panel.title]
        axes.set_title("\n".join(lines), fontsize=9, parse_math=False)
        if not _has_frequencies(panel):
            axes.set_ylabel("bin")
        elif i % columns == 0:
            axes.set_ylabel("frequency (Hz)")
        if i + columns >= len(panels):
            axes.set_xlabel("time (s)")
        if not shared:
            _colour_bar(figure, image, axes, panel, aspect=18, pad=0.02)
    for i in range(len(panels), n_rows * columns):
        cells[i // columns, i % columns].set_visible(False)
    if shared and image is not None:
        _colour_bar(figure, image, list(cells.flat), panels[0], aspect=18 * n_rows, pad=0.01)
    lines = textwrap.wrap(title, int(11.5 * figure.get_figwidth()), max_lines=2, placeholder=" …")
    figure.suptitle("\n".join(lines), fontsize=11, parse_math=False)
    return figure


def _colour_bar(
    figure: Figure, image: AxesImage, axes: Axes | list[Axes], panel: Panel, *, aspect: float, pad: float
) -> None:
    bar = figure.colorbar(image, ax=axes, pad=pad, aspect=aspect, fraction=0.04)
    bar.set_label(panel.unit, fontsize=9)
    bar.ax.tick_params(labelsize=8)


def _draw(axes: Axes, panel: Panel) -> AxesImage:
    n_bins, n_frames = panel.values.shape
    start = panel.first - panel.hop / 2  # a frame stands for the hop around its centre
    angle = panel.unit == "rad"
    image = axes.imshow(
        panel.values if angle else _peaks(panel.values),
        origin="lower",
        aspect="auto",
        cmap=ANGLE if angle else LOUDNESS,
        vmin=panel.low,
        vmax=panel.high,
        extent=(start, start + n_frames * panel.hop, -0.5, n_bins - 0.5),
    )
    axes.set_xlim(max(0.0, start), start + n_frames * panel.hop)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if _has_frequencies(panel):
        ticks = _frequency_ticks(panel.frequencies)
        axes.set_yticks([position for position, _ in ticks], [label for _, label in ticks])
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.tick_params(labelsize=8)
    return image


def _panel(data: ShardDataset, row: int, title: Sequence[str]) -> Panel:
    specgram, _ = data[row]
    values, hop = specgram.numpy(), data.hop_length / data.sample_rate
    n_frames, first = values.shape[1], 0
    if n_frames * hop > LONGEST:
        shown = round(EXCERPT / hop)
        first = (n_frames - shown) // 2
        values = values[:, first : first + shown]
        title = [f"{title[0]}, {EXCERPT:g} of {n_frames * hop:.0f} s", *title[1:]]
    shown_values, unit, low, high = _shown(values, data.units)
    return Panel(title, shown_values, unit, low, high, first * hop, hop, data.center_frequencies)


def _shown(values: Values, units: str) -> tuple[Values, str, float, float]:
    """Return values as they are drawn, their unit, and the ends of the colour bar."""
    if units in ("magnitude", "power", "complex"):
        magnitude = np.abs(values).astype(np.float64)
        factor = 10.0 if units == "power" else 20.0
        top = float(magnitude.max(initial=0.0)) or 1.0
        decibels = factor * np.log10(np.maximum(magnitude / top, 10 ** (-2 * RANGE_DB / factor)))
        return decibels, "dB relative to maximum", -RANGE_DB, 0.0
    top = float(values.max(initial=-np.inf)) if values.size else 0.0
    if units == "rad":
        return values, "rad", -np.pi, np.pi
    if units in ("dB", "ln"):
        name, reach = ("dB", RANGE_DB) if units == "dB" else ("natural logarithm", RANGE_DB / 10 * math.log(10))
        silent = values.size > 0 and values.min() == top  # nothing but the floor, which is no maximum
        return values, name, top if silent else top - reach, top + reach if silent else top
    # The first cepstral coefficient, the mean level, is far from all others.
    usual = values[1:] if units == "cepstrum" and len(values) > 1 else values
    low, high = np.percentile(usual, [1, 99]) if usual.size else (0.0, 1.0)
    return values, units, float(low), float(max(high, low + 1e-9))


def _peaks(values: Values) -> Values:
    """Return the largest value of each stretch: few more than there are pixels, and a thin partial stays bright."""
    for axis, most in enumerate((MOST_BINS, MOST_FRAMES)):
        n = values.shape[axis]
        if n > most:
            starts = np.arange(most) * n // most
            values = np.maximum.reduceat(values, starts, axis=axis)
    return values


def _in_one_range(panels: Sequence[Panel]) -> list[Panel]:
    """Give panels of one unit the same colours for the same values; the range of decibels stays as wide."""
    low, high = min(panel.low for panel in panels), max(panel.high for panel in panels)
    if panels[0].unit in ("dB", "natural logarithm"):
        low = high - (panels[0].high - panels[0].low)
    return [replace(panel, low=low, high=high) for panel in panels]


def _has_frequencies(panel: Panel) -> bool:
    centres = panel.frequencies
    return bool(len(centres) > 1 and np.isfinite(centres).all() and (np.diff(centres) > 0).all())


def _frequency_ticks(centres: NDArray[np.float64]) -> list[tuple[float, str]]:
    """Return round frequencies with their places among the bins, none too close to another."""
    low, high = float(centres[0]), float(centres[-1])
    steps = np.diff(centres)
    if steps.max() < 1.01 * steps.min():
        candidates = [float(f) for f in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)]
    else:
        decades = range(math.floor(math.log10(max(low, 1.0))), math.ceil(math.log10(high)) + 1)
        candidates = [mantissa * 10.0**decade for mantissa in (1, 5, 2) for decade in decades]
    chosen: list[tuple[float, float]] = []
    for frequency in candidates:
        if not low <= frequency <= high:
            continue
        place = float(np.interp(frequency, centres, np.arange(len(centres))))
        if all(abs(place - other) >= 0.11 * len(centres) for other, _ in chosen):
            chosen.append((place, frequency))
    return [(place, f"{f / 1000:g}k" if f >= 1000 else f"{f:g}") for place, f in sorted(chosen)]


def _median_clip(data: ShardDataset) -> int:
    """Return the row of the clip of median contrast among a few: neither silence nor an outlier."""
    contrasts = []
    for row in _evenly(len(data), CANDIDATES):
        values, _, low, high = _shown(data[row][0].numpy(), data.units)
        contrasts.append((float(np.clip(values, low, high).std()) if values.size else 0.0, row))
    contrasts = sorted(one for one in contrasts if one[0] > 0) or contrasts
    return contrasts[len(contrasts) // 2][1]


def _row(ids: Sequence[str], clip: str) -> int:
    if clip in ids:
        return ids.index(clip)
    close = get_close_matches(clip, ids, n=1)
    meant = f"did you mean {close[0]!r}?" if close else f"the first is {ids[0]!r}"
    raise ParameterError([Fault("--clip", f"no clip has the id {clip!r}; {meant}")])


def _evenly(n: int, most: int) -> list[int]:
    """Return at most ``most`` of n rows, evenly spread, first and last among them."""
    return sorted({i * (n - 1) // max(1, min(n, most) - 1) for i in range(min(n, most))})


def _shape(data: ShardDataset) -> str:
    """Return the words of a title: bins, and the hop in milliseconds."""
    return f"{len(data.center_frequencies)} bins every {1000 * data.hop_length / data.sample_rate:.3g} ms"


def _named(data: ShardDataset, row: int) -> list[str]:
    """Return a clip's id, and its known labels."""
    labels: Mapping[str, Any] = data[row][1]
    words = [
        f"{name} {value}"
        for name, value in labels.items()
        if name not in ("id", "notes") and value not in UNKNOWN_LABELS
    ]
    return [printable(line) for line in (str(labels["id"]), ", ".join(words)) if line]


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
