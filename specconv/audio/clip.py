"""The values that the audio room takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from specconv.errors import Fault, ParameterError

Channels = Literal["mono", "first"]
LONGEST_DURATION = 86400.0  # seconds, of AudioFormat and of a config


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What every waveform shall become.

    sample_rate: Hz, a whole number; None keeps each file's own.
    channels: "mono" is the mean of all channels, "first" the first of them.
    duration: seconds up to a day; longer audio is cut and shorter zero-padded on the right; None keeps all.
    Raises ParameterError with every fault at once.
    """

    sample_rate: int | None = None
    channels: Channels = "mono"
    duration: float | None = None

    def __post_init__(self) -> None:
        faults = []
        rate, duration = self.sample_rate, self.duration
        if rate is not None and (rate != int(rate) or rate < 1):
            faults.append(Fault("sample_rate", f"{rate} Hz; give a whole number of at least 1, as 16000"))
        if self.channels not in ("mono", "first"):
            faults.append(Fault("channels", f"{self.channels!r}; give 'mono' (mean of channels) or 'first'"))
        if duration is not None and not 0 < duration <= LONGEST_DURATION:
            bound = f"above 0 and at most {LONGEST_DURATION:.0f} (a day)"
            faults.append(Fault("duration", f"{duration} s; give seconds {bound}, as 4.0"))
        if not faults and rate is not None and duration is not None and round(duration * rate) < 1:
            faults.append(Fault("duration", f"{duration} s is no sample at {rate} Hz; give {1 / rate} or more"))
        if faults:
            raise ParameterError(faults)


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file's header says of it, which need not be true (the length of an mp3 may be a guess).

    n_samples: samples of one channel; -1 where the header leaves it open (a FLAC written as a stream).
    """

    n_samples: int
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class Clip:
    """A whole file as decoded.

    waveform: (channel, time) int16, int32 or float32; full scale is 2^15, 2^31 or 1.
    """

    waveform: Tensor
    sample_rate: int


@dataclass(frozen=True, slots=True)
class LoadedClip:
    """A file brought to an AudioFormat.

    waveform: (time,) float32, full scale 1.
    n_samples: so many of them come from the file, the rest is padding.
    seconds: spent in each stage, "decode" and "resample".
    """

    waveform: Tensor
    sample_rate: int
    source_sample_rate: int
    n_samples: int
    seconds: Mapping[str, float]
