"""The few kinds of error that specconv raises.

Every message says what is wrong, the value found, the bound it breaks and the cure. Errors are raised
where the fault is seen and phrased for the user once, at the edge of the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SpecconvError(Exception):
    """Anything that specconv raises on purpose."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request.

    key: where it stands, as ``transforms[2].f_max`` (relative to the object that found it).
    message: value, bound and cure in one sentence.
    """

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}" if self.key else self.message

    def under(self, prefix: str) -> Fault:
        """The same fault seen from the object that holds this one under ``prefix``."""
        joint = "" if not self.key or self.key.startswith("[") else "."
        return Fault(f"{prefix}{joint}{self.key}", self.message)


class ParameterError(SpecconvError, ValueError):
    """Parameters that no transform, kernel or layer can be built from; all faults at once."""

    def __init__(self, faults: Sequence[Fault] | str) -> None:
        self.faults = (Fault("", faults),) if isinstance(faults, str) else tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type[ParameterError], tuple[Sequence[Fault]]]:
        return type(self), (self.faults,)  # what pickle makes it from


class ConfigError(ParameterError):
    """A config file that cannot be used."""


class DatasetError(SpecconvError):
    """A folder in which no clips are found, or labels that cannot be read."""


class AudioError(SpecconvError):
    """One file that cannot become a waveform.

    stage: "open", "decode" or "resample"; reason: one sentence without the path.
    """

    def __init__(self, path: str, stage: str, reason: str) -> None:
        self.path, self.stage, self.reason = path, stage, reason
        super().__init__(f"{path}: {stage}: {reason}")

    def __reduce__(self) -> tuple[type[AudioError], tuple[str, str, str]]:
        return type(self), (self.path, self.stage, self.reason)  # what pickle makes it from


class ShardError(SpecconvError):
    """A shard or a shard folder that cannot be read, or is not what its index says."""


class OutputError(SpecconvError):
    """An output folder that may not be written: another config's, another process's, no space."""


class SpecconvWarning(UserWarning):
    """Something that works, but not as its user may think; tests turn it into an error."""
