from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray

from specconv.errors import OutputError, ParameterError, ShardError
from specconv.plot import draw, picture
from specconv.plot.picture import _frequency_ticks
from specconv.shards import ClipRow, SpecgramSpec, create_shard, shard_name, write_index

RATE, HOP = 8000, 80  # 100 frames a second
LINEAR = np.linspace(0.0, 4000.0, 41)
LOGARITHMIC = 55.0 * 2.0 ** (np.arange(72) / 12)


def spec_of(name: str, centres: NDArray[np.float64], units: str, dtype: str = "float32") -> SpecgramSpec:
    return SpecgramSpec(name, len(centres), dtype, ("frequency", "time"), RATE, HOP, units, "{}", centres, None)


def write_clips(folder: Path, specs: list[SpecgramSpec], clips: list[dict[str, NDArray[Any]]]) -> Path:
    """A finished folder of one shard; clip i has the id ``clip-i`` and the label ``kind``."""
    folder.mkdir()
    with create_shard(
        folder, shard_name(0), specs, label_fields={"kind": str}, has_notes=False, config_yaml="", fingerprint="0"
    ) as writer:
        rows = [ClipRow(f"clip-{i}", f"{i}.wav", RATE, 1, {"kind": f"kind {i}"}) for i in range(len(clips))]
        writer.append(rows, {spec.name: [clip[spec.name] for clip in clips] for spec in specs})
        entry = writer.close()
    write_index(
        folder,
        dataset="folder",
        audio=Path("/"),
        config_yaml="",
        specs=specs,
        label_fields={"kind": str},
        has_notes=False,
        shards=[entry],
    )
    return folder


def tone(centres: NDArray[np.float64], frequency: float, n_frames: int = 50) -> NDArray[np.float32]:
    """Magnitudes with one bright bin in the second half of the frames."""
    values = np.full((len(centres), n_frames), 1e-6, np.float32)
    values[np.abs(centres - frequency).argmin(), n_frames // 2 :] = 1.0
    return values


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were saved."""
    saved: list[Figure] = []
    save = Figure.savefig

    def keep(self: Figure, *args: Any, **options: Any) -> None:
        saved.append(self)
        save(self, *args, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Three clips of a tone at 1000, 1500 and 2000 Hz, by a linear and a logarithmic transform."""
    specs = [spec_of("stft", LINEAR, "magnitude"), spec_of("cqt", LOGARITHMIC, "magnitude")]
    clips = [{s.name: tone(s.center_frequencies, 1000 + 500 * i) for s in specs} for i in range(3)]
    return write_clips(tmp_path / "two", specs, clips)


def panels(figure: Figure) -> list[Any]:
    return [axes for axes in figure.axes if axes.images]


def tick_places(axes: Any) -> dict[str, float]:
    return dict(zip([label.get_text() for label in axes.get_yticklabels()], axes.get_yticks(), strict=True))


def test_ticks_stand_where_their_frequencies_are(two: Path, tmp_path: Path, figures: list[Figure]) -> None:
    assert draw(two, tmp_path / "x.png", clip="clip-0") == ["clip-0"]
    stft, cqt = panels(figures[0])
    assert tick_places(stft) == pytest.approx({"0": 0, "1k": 10, "2k": 20, "3k": 30, "4k": 40})
    places = tick_places(cqt)
    assert places["100"] == pytest.approx(12 * np.log2(100 / 55), abs=0.02)
    assert places["1k"] == pytest.approx(12 * np.log2(1000 / 55), abs=0.02)
    assert len(places) >= 4
    assert min(np.diff(sorted(places.values()))) > 0.1 * len(LOGARITHMIC)


def test_ticks_are_never_crowded() -> None:
    for centres in (20.0 * 2.0 ** (np.arange(120) / 12), np.geomspace(1, 20_000, 500), np.linspace(0, 22_050, 1025)):
        places = [place for place, _ in _frequency_ticks(centres)]
        assert len(places) >= 4
        assert min(np.diff(places)) >= 0.1 * len(centres)


def test_the_picture_is_bright_where_the_tone_is(two: Path, tmp_path: Path, figures: list[Figure]) -> None:
    draw(two, tmp_path / "x.png", clip="clip-0")
    pixels = imread(tmp_path / "x.png")[..., :3].sum(axis=-1)
    stft = panels(figures[0])[0]
    scale = 150 / figures[0].dpi

    def at(time: float, bin_: float) -> float:
        x, y = stft.transData.transform((time, bin_)) * scale
        return float(pixels[len(pixels) - 1 - round(y), round(x)])

    assert at(0.4, 10) > 2.5, "1000 Hz in the second half"
    assert max(at(0.1, 10), at(0.4, 20), at(0.4, 5)) < 0.5


def test_magnitudes_are_decibels_below_their_maximum_with_one_colour_bar(
    two: Path, tmp_path: Path, figures: list[Figure]
) -> None:
    draw(two, tmp_path / "x.png", clip="clip-1")
    image = panels(figures[0])[0].images[0]
    assert image.get_array().max() == pytest.approx(0.0)
    assert image.get_array().min() == pytest.approx(-120.0, abs=1e-3)
    assert image.get_clim() == (-80.0, 0.0)
    bars = [axes for axes in figures[0].axes if not axes.images and axes.get_visible()]
    assert [bar.get_ylabel() for bar in bars] == ["dB relative to maximum"]
    assert figures[0].get_suptitle() == "clip-1, kind kind 1"


def test_titles_and_seconds(two: Path, tmp_path: Path, figures: list[Figure]) -> None:
    draw(two, tmp_path / "x.png", clip="clip-1")
    stft, cqt = panels(figures[0])
    assert stft.get_title() == "stft: 41 bins every 10 ms"
    assert (stft.get_ylabel(), stft.get_xlabel(), cqt.get_xlabel()) == ("frequency (Hz)", "", "time (s)")
    assert stft.get_xlim() == pytest.approx((0.0, 0.495))


def test_a_single_transform_shows_several_clips(tmp_path: Path, figures: list[Figure]) -> None:
    spec = spec_of("mel", LINEAR, "dB")
    clips = [{"mel": 10 * np.log10(tone(LINEAR, 1000)) + 3 * i} for i in range(9)]
    folder = write_clips(tmp_path / "one", [spec], clips)
    drawn = draw(folder, tmp_path / "x.png")
    assert drawn == ["clip-0", "clip-1", "clip-3", "clip-4", "clip-6", "clip-8"]
    grid = panels(figures[0])
    assert [axes.get_title() for axes in grid[:2]] == ["clip-0\nkind kind 0", "clip-1\nkind kind 1"]
    assert {axes.images[0].get_clim() for axes in grid} == {(24.0 - 80.0, 24.0)}, "one range for all"
    assert figures[0].get_suptitle() == "mel: 41 bins every 10 ms"


def test_a_long_clip_is_shown_from_its_middle(tmp_path: Path, figures: list[Figure]) -> None:
    spec = spec_of("mel", LINEAR, "magnitude")
    folder = write_clips(tmp_path / "long", [spec], [{"mel": tone(LINEAR, 1000, 10_000)}])
    draw(folder, tmp_path / "x.png")
    axes = panels(figures[0])[0]
    assert axes.get_xlim() == pytest.approx((39.995, 59.995))
    assert axes.get_title().startswith("clip-0, 20 of 100 s")


def test_a_thin_partial_among_many_bins_stays_bright(tmp_path: Path, figures: list[Figure]) -> None:
    centres = np.linspace(0, 4000, 4001)
    folder = write_clips(
        tmp_path / "fine", [spec_of("stft", centres, "magnitude")], [{"stft": tone(centres, 1005, 2500)}]
    )
    draw(folder, tmp_path / "x.png")
    values = panels(figures[0])[0].images[0].get_array()
    assert values.shape == (300, 1000)
    assert values[75, -1] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("units", "label", "limits"),
    [
        ("power", "dB relative to maximum", (-80.0, 0.0)),
        ("rad", "rad", (-np.pi, np.pi)),
        ("ln", "natural logarithm", (1.0 - 8 * np.log(10), 1.0)),
        ("deviations", "deviations", None),
    ],
)
def test_units(
    units: str, label: str, limits: tuple[float, float] | None, tmp_path: Path, figures: list[Figure]
) -> None:
    folder = write_clips(tmp_path / "u", [spec_of("x", LINEAR, units)], [{"x": tone(LINEAR, 1000)}])
    draw(folder, tmp_path / "x.png")
    assert [axes.get_ylabel() for axes in figures[0].axes if not axes.images] == [label]
    if limits is not None:
        assert panels(figures[0])[0].images[0].get_clim() == pytest.approx(limits)


def test_complex_values_are_shown_by_their_magnitude(tmp_path: Path, figures: list[Figure]) -> None:
    spec = spec_of("x", LINEAR, "complex", "complex64")
    folder = write_clips(tmp_path / "c", [spec], [{"x": (1j * tone(LINEAR, 1000)).astype(np.complex64)}])
    draw(folder, tmp_path / "x.png")
    assert panels(figures[0])[0].images[0].get_array().max() == pytest.approx(0.0)


def test_bins_that_are_no_frequencies_are_numbered(tmp_path: Path, figures: list[Figure]) -> None:
    spec = spec_of("mfcc", np.full(20, np.nan), "cepstrum")
    values = np.random.default_rng(0).standard_normal((20, 50)).astype(np.float32)
    values[0] = -500.0
    draw(write_clips(tmp_path / "m", [spec], [{"mfcc": values}]), tmp_path / "x.png")
    axes = panels(figures[0])[0]
    assert axes.get_ylabel() == "bin"
    assert axes.images[0].get_clim()[0] > -5.0, "the mean level hides nothing"


@pytest.mark.parametrize("units", ["magnitude", "dB"])
def test_silence_is_dark_and_not_chosen(units: str, tmp_path: Path, figures: list[Figure]) -> None:
    specs = [spec_of("a", LINEAR, units), spec_of("b", LINEAR, units)]
    silence = np.full((41, 50), 0.0 if units == "magnitude" else -100.0, np.float32)
    clips = [{"a": silence, "b": silence}] * 4 + [{"a": tone(LINEAR, 1000), "b": tone(LINEAR, 2000)}]
    folder = write_clips(tmp_path / "s", specs, clips)
    assert draw(folder, tmp_path / "x.png") == ["clip-4"]
    draw(folder, tmp_path / "silent.png", clip="clip-0")
    image = panels(figures[1])[0].images[0]
    assert image.get_array().max() <= image.get_clim()[0]


def test_many_transforms_make_a_grid_without_overlaps(tmp_path: Path, figures: list[Figure]) -> None:
    specs = [spec_of(f"transform-{i:02}", LOGARITHMIC if i % 2 else LINEAR, "magnitude") for i in range(20)]
    clip = {spec.name: tone(spec.center_frequencies, 1000) for spec in specs}
    draw(write_clips(tmp_path / "many", specs, [clip]), tmp_path / "x.png")
    renderer = figures[0].canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [axes.get_tightbbox(renderer) for axes in panels(figures[0])]
    assert len(boxes) == 20
    title = figures[0]._suptitle.get_window_extent(renderer)  # type: ignore[attr-defined]
    for i, box in enumerate(boxes):
        assert not box.overlaps(title)
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_signs_of_mathematics_in_names_are_only_signs(tmp_path: Path, figures: list[Figure]) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    spec = spec_of("x", LINEAR, "magnitude")
    with create_shard(
        folder, shard_name(0), [spec], label_fields={}, has_notes=False, config_yaml="", fingerprint="0"
    ) as writer:
        writer.append([ClipRow("a$\\frac{$\n^.wav", "a.wav", RATE, 1, {})], {"x": [tone(LINEAR, 1000)]})
        entry = writer.close()
    write_index(
        folder,
        dataset="folder",
        audio=Path("/"),
        config_yaml="",
        specs=[spec],
        label_fields={},
        has_notes=False,
        shards=[entry],
    )
    draw(folder, tmp_path / "x.png")
    assert panels(figures[0])[0].get_title() == "a$\\frac{$\\n^.wav"


def test_what_cannot_be_drawn(two: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="none of"):
        draw(two, tmp_path / "x.gif")
    with pytest.raises(ParameterError, match="did you mean 'clip-0'"):
        draw(two, tmp_path / "x.png", clip="clip0")
    with pytest.raises(ShardError, match="did not finish"):
        draw(tmp_path, tmp_path / "x.png")
    with pytest.raises(OutputError, match="the folder is gone"):
        draw(two, tmp_path / "gone" / "x.png", clip="clip-0")
    empty = write_clips(tmp_path / "empty", [spec_of("x", LINEAR, "dB")], [])
    with pytest.raises(ShardError, match="no clips"):
        draw(empty, tmp_path / "x.png")


def test_no_global_state_of_matplotlib_is_used() -> None:
    source = Path(picture.__file__).read_text()
    assert "pyplot" not in source
    assert "rcParams" not in source
