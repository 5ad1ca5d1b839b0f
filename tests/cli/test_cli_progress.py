from __future__ import annotations

import pytest

from specconv.cli.progress import Meter, doing


def work() -> Meter:
    with Meter() as meter:
        meter.notice("Found [red]3[/red] clips")
        assert not meter.begun
        meter.start(clips=4, done=1)
        meter.advance(clips=2, audio_seconds=3600.0)
        meter.advance(clips=1, audio_seconds=1800.0)
    return meter


def test_without_a_terminal_there_are_only_notices(capsys: pytest.CaptureFixture[str]) -> None:
    assert work().begun
    with doing() as say:
        say("checking")
    assert capsys.readouterr() == ("", "Found [red]3[/red] clips\n")


def test_on_a_terminal_clips_hours_and_speed_are_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    work()
    out, err = capsys.readouterr()
    assert out == ""
    assert "[red]3[/red]" in err
    for part in ("4/4", "clips", "1.50 h", "x realtime", "left"):
        assert part in err
