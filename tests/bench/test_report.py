"""Tables, rows for scripts, and pictures."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from specconv.bench.growth import exponent
from specconv.bench.pictures import draw
from specconv.bench.report import seconds, tables
from specconv.bench.rows import BenchReport, Row, one_by_one
from specconv.bench.timing import Copies, Timing

MakeRow = Callable[..., Row]
MakeReport = Callable[..., BenchReport]


def printed(report: BenchReport, width: int = 80) -> str:
    text = io.StringIO()
    Console(file=text, width=width).print(tables(report))
    return text.getvalue()


def test_json_rows_have_exactly_the_fields_that_scripts_rely_on(make_row: MakeRow, make_report: MakeReport) -> None:
    rows = [make_row(), make_row(library="librosa", seconds=None, max_rel_error=None, status="not run: why")]
    found = json.loads(json.dumps(make_report(rows, [make_row(suite="maps: clip length")]).as_json(), allow_nan=False))
    assert len(found) == 3
    for row in found:
        assert list(row) == [
            *("suite", "transform", "parameters", "library", "version", "device", "clips", "audio_seconds"),
            *("seconds_median", "seconds_iqr", "first_call_seconds", "copies_seconds", "floor_seconds"),
            *("max_rel_error", "status"),
        ]
    assert found[0]["seconds_median"] == 1.0
    assert found[0]["seconds_iqr"] == pytest.approx(0.01)
    assert found[0]["copies_seconds"] == 0.0
    assert found[1]["seconds_median"] is None
    assert found[1]["status"] == "not run: why"


def test_an_infinite_error_is_still_json(make_row: MakeRow) -> None:
    row = make_row(max_rel_error=math.inf, status="wrong: shape (1, 2), expected (2, 2)")
    assert json.loads(json.dumps(row.as_json(), allow_nan=False))["max_rel_error"] is None


def test_ratios_are_between_equal_work(make_row: MakeRow, make_report: MakeReport) -> None:
    ours, same, other = make_row(work="a"), make_row(library="librosa", seconds=3.0, work="a"), None
    as_kapre = make_row(library="specconv as kapre", seconds=2.0, work="b")
    kapre = make_row(library="kapre", seconds=8.0, work="b")
    wrong = make_row(library="nnaudio", seconds=0.1, work="a", status="wrong: error 1e-01")
    other = make_row("mel", "librosa", 5.0, work="a")
    report = make_report([ours, same, as_kapre, kapre, wrong, other])
    assert [report.ratio(row) for row in report.rows] == [None, 3.0, None, 4.0, 0.1, None]


def test_the_table_says_all_within_eighty_columns(make_row: MakeRow, make_report: MakeReport) -> None:
    rows = [
        make_row(),
        make_row(library="librosa", seconds=5.25),
        make_row(library="specconv, one by one", seconds=0.0012, floor_seconds=1e-8),
        make_row(library="nnaudio CQT2010v2", seconds=0.001, max_rel_error=0.1, status="wrong: error 1.0e-01 above"),
        make_row(library="kapre", seconds=None, max_rel_error=None, status="not run: kapre is not installed: pip"),
    ]
    text = printed(make_report(rows))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    librosa = next(line for line in text.splitlines() if line.strip().startswith("librosa"))
    assert "5.2" in librosa  # seconds and ratio
    assert "525" in librosa  # floors
    assert any(line.startswith(" ! nnaudio CQT2010v2") for line in text.splitlines())
    assert "nnaudio CQT2010v2, stft: wrong: error 1.0e-01 above" in text
    assert "kapre, stft: not run: kapre is not installed: pip" in text
    for part in ("A title", "A CPU", "a note", "As published", "6.1", "a remark"):
        assert part in text


def test_a_reason_that_many_transforms_share_is_told_once(make_row: MakeRow, make_report: MakeReport) -> None:
    rows = [make_row(name, "librosa", None, status="not run: why") for name in ("a", "b", "c")]
    assert "librosa, a, b, c: not run: why" in printed(make_report(rows))


def test_a_wide_spread_is_warned_of(make_row: MakeRow, make_report: MakeReport) -> None:
    assert "Warning" not in printed(make_report([make_row()]))
    row = Row(**{**vars(make_row()), "timing": Timing((1.0, 2.0, 3.0))})
    assert "Warning: 1 of 1 times spread by more than 10%" in printed(make_report([row]))


def test_copies_have_columns_where_something_was_copied(make_row: MakeRow, make_report: MakeReport) -> None:
    text = printed(make_report([make_row(copies=Copies(0.25, 0.75))]), width=110)
    assert "to device" in text
    assert "0.25" in text
    assert "to device" not in printed(make_report([make_row()]))


def test_sums_add_times_and_keep_the_worst_error(make_row: MakeRow) -> None:
    parts = [make_row("a", seconds=1.0), make_row("b", seconds=2.0, max_rel_error=0.5, status="wrong: x")]
    assert one_by_one(parts, "all", ["a", "b", "c"]) == []
    (total,) = one_by_one(parts, "both", ["a", "b"])
    assert total.library == "specconv, one by one"
    assert total.timing is not None
    assert total.timing.median == pytest.approx(3.0)
    assert total.max_rel_error == 0.5
    assert total.is_wrong
    assert total.floor_seconds == pytest.approx(0.02)


def test_growth_is_told_by_its_power(make_row: MakeRow, make_report: MakeReport) -> None:
    def curve(power: float) -> list[Row]:
        return [make_row(seconds=x**power, audio_seconds=x, suite="maps: clip length") for x in (1.0, 2.0, 4.0)]

    assert exponent(curve(1.0)) == pytest.approx(1.0)
    assert exponent(curve(2.0)) == pytest.approx(2.0)
    assert exponent(curve(1.0)[:1]) is None
    assert "Time grows with clip length to the power of (1 is linear): stft 2.00." in printed(
        make_report([make_row()], curve(2.0))
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.00123, "0.0012"), (0.0123, "0.012"), (0.123, "0.12"), (1.234, "1.23"), (123.4, "123")],
)
def test_seconds_are_readable(value: float, text: str) -> None:
    assert seconds(value) == text


def test_pictures_are_drawn_with_and_without_growth(make_row: MakeRow, make_report: MakeReport, tmp_path: Path) -> None:
    rows = [make_row(), make_row(library="librosa", seconds=5.0), make_row(library="kapre", seconds=None)]
    growth = [
        make_row(suite=f"maps: {what}", audio_seconds=x) for what in ("clip length", "batch size") for x in (1, 2)
    ]
    for name, report in (("bars.png", make_report(rows)), ("all.png", make_report(rows, growth))):
        draw(report, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    draw(make_report([]), tmp_path / "empty.svg")
    assert (tmp_path / "empty.svg").stat().st_size > 0


def test_a_sum_takes_the_first_of_a_librarys_ways(make_row: MakeRow) -> None:
    rows = [
        make_row("a", "nnaudio", 1.0),
        make_row("b", "nnaudio CQT1992v2", 2.0),
        make_row("b", "nnaudio CQT2010v2", 50.0),
        make_row("b", "specconv as kapre", 3.0),
    ]
    (total,) = one_by_one(rows, "both", ["a", "b"])
    assert total.library == "nnaudio, one by one"
    assert total.timing is not None
    assert total.timing.median == pytest.approx(3.0)
