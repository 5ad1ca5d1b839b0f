"""What the bench needs of a library: whether it has a transform, and a call that computes it.

A peer passes on the parameters that were given and leaves all others to the library; specconv is given the
same with ``parity: <peer>``, and so takes that library's defaults. Libraries are imported when a transform is
first prepared, never when the bench is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Literal

import torch

from specconv.bench.machine import package_version
from specconv.errors import ParameterError, SpecconvError
from specconv.transforms import TransformParameters, transform_parameters

UsualBatch = Literal["clip by clip", "all at once"]
Parameters = Mapping[str, Any]  # of one transform, as build_transform takes them


class NotRunError(SpecconvError):
    """A transform that a library does not compute here; the message is the reason and the cure."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a peer is asked for.

    given: the transform's parameters as the user gave them; others are for the library to choose.
    usual: what it chooses for all parameters when none is given.
    scale, exponent: what the specgram shall hold, and of which power of the magnitudes, where filters weigh them.
    """

    given: Parameters
    usual: Parameters
    scale: str
    exponent: float
    sample_rate: float
    device: str
    method: str

    @property
    def kind(self) -> str:
        return str(self.given["type"])

    def refuse_spaced_bins(self, library: str) -> None:
        """Raise NotRunError for an stft with other bins than the FFT's own."""
        spacing = self.given.get("freq_scale", "uniform")
        if spacing != "uniform":
            raise NotRunError(f"{library} has no stft with {spacing}-spaced bins")

    def renamed(self, names: Mapping[str, str], library: str) -> dict[str, Any]:
        """The given parameters under the library's ``names`` (ours to its).

        Raises NotRunError for a given parameter that the library does not have, unless it is as usual there.
        """
        others = self.given.keys() - names.keys() - _NOT_PASSED_ON
        unknown = sorted(key for key in others if self.given[key] != self.usual.get(key))
        if unknown:
            raise NotRunError(f"{library}'s {self.kind} has no {', '.join(unknown)}")
        return {names[key]: value for key, value in self.given.items() if key in names}


_NOT_PASSED_ON = {"type", "name", "scale", "power", "parity", "engine", "then"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A transform ready to run.

    run: waveforms ``(batch, time)``, float32, on the device -> specgrams ``(batch, n_bins, n_frames)``.
    run_padded: the same for clips padded to one length, with their own lengths; None: it knows nothing of padding.
    largest_batch: more clips at once would change the numbers, as by a maximum over all; None: any number.
    all_at_once: it is timed with as many clips as memory allows, and not with those that suit it best.
    """

    run: Callable[[torch.Tensor], Any]
    run_padded: Callable[[torch.Tensor, Sequence[int]], Any] | None = None
    largest_batch: int | None = None
    all_at_once: bool = False


class Peer(ABC):
    """A library beside which specconv is timed."""

    name: ClassVar[str]  # as --against says it
    parity: ClassVar[str]  # whose defaults it has, as a transform's parameters say it
    package: ClassVar[str]  # as pip says it
    install: ClassVar[str]  # the command that brings it
    devices: ClassVar[frozenset[str]] = frozenset({"cpu"})
    methods: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Transform type -> the library's own names for its ways to it; a type with one way is left out."""
    usual_batch: ClassVar[UsualBatch | None] = None
    """How many clips its users give it, where that is not what suits it best."""
    modules: ClassVar[Sequence[str]]  # what is imported of it
    transforms: ClassVar[frozenset[str]]  # the types it has

    def load(self) -> None:
        """Import the library, which may take seconds; nothing happens where it is not installed."""
        if self.version() is not None:
            for module in self.modules:
                import_module(module)

    def version(self) -> str | None:
        """The installed version, None where it is not installed."""
        return package_version(self.package)

    def prepare(self, given: Parameters, sample_rate: float, device: str, method: str = "") -> Prepared:
        """The transform on ``device``, by one of ``methods``.

        Raises NotRunError: not installed, not on this device, no such transform, a parameter unknown to it, or
        impossible with its defaults.
        """
        if self.version() is None:
            raise NotRunError(f"{self.package} is not installed: {self.install}")
        if device.split(":")[0] not in self.devices:
            raise NotRunError(f"{self.name} runs on {' and '.join(sorted(self.devices))}, not on {device}")
        if given["type"] not in self.transforms:
            raise NotRunError(f"{self.name} has no {given['type']}")
        try:
            resolved = transform_parameters({**given, "parity": self.parity})
            if faults := list(resolved.faults(sample_rate)):
                raise ParameterError(faults)
            usual = transform_parameters({"type": given["type"], "parity": self.parity}).model_dump()
            exponent = exponent_of(resolved)
            return self.build(Request(given, usual, resolved.scale, exponent, sample_rate, device, method))
        except NotRunError:
            raise
        except ParameterError as fault:
            raise NotRunError(str(fault)) from fault
        except Exception as fault:  # of a foreign library: a row of the table, not the end of it
            raise NotRunError(f"{self.name} cannot build it: {in_one_line(fault)}") from fault

    @abstractmethod
    def build(self, request: Request) -> Prepared:
        """The request as a call, once the library is known to be there and to have the transform."""


def exponent_of(parameters: TransformParameters) -> float:
    """Of the magnitudes, where a transform's filters weigh them: 2, unless power or a scale of magnitude say else."""
    given: float | None = getattr(parameters, "power", None)
    return given or (1.0 if parameters.scale == "magnitude" else 2.0)


def in_one_line(fault: BaseException) -> str:
    """An error's kind and the first line of its text, short enough for a table."""
    lines = str(fault).strip().splitlines() or ["no reason given"]
    return f"{type(fault).__name__}: {lines[0][:160]}"
