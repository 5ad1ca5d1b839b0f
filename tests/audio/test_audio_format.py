from __future__ import annotations

import pytest

from specconv.audio import AudioFormat
from specconv.errors import ParameterError


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(ParameterError) as raised:
        AudioFormat(sample_rate=0, channels="left", duration=float("nan"))  # type: ignore[arg-type]
    assert [fault.key for fault in raised.value.faults] == ["sample_rate", "channels", "duration"]


@pytest.mark.parametrize("sample_rate", [0, -8000, 16000.5])
def test_sample_rate_is_a_whole_number_of_hertz(sample_rate: float) -> None:
    with pytest.raises(ParameterError, match="whole number"):
        AudioFormat(sample_rate=sample_rate)  # type: ignore[arg-type]


@pytest.mark.parametrize("duration", [0, -1, float("inf"), 86401])
def test_duration_is_above_0_and_up_to_a_day(duration: float) -> None:
    with pytest.raises(ParameterError, match="a day"):
        AudioFormat(duration=duration)


def test_duration_holds_a_sample() -> None:
    AudioFormat(16000, duration=1 / 16000)
    with pytest.raises(ParameterError, match="no sample at 16000 Hz"):
        AudioFormat(16000, duration=1e-5)
