"""What every transform is: a front that may be shared, and a finish of its own.

``waveforms (batch, time) -> front -> coefficients -> finish -> specgram (batch, n_bins, n_frames) -> clip layers``

A transform's module holds its parameters (a `TransformParameters`) and builds a `Transform` from these parts; there
is no class per transform, because a transform is a composition.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import (
    Field,
    SerializeAsAny,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from torch import Tensor, nn

from specconv.engines.front import Front, Reach
from specconv.errors import Fault, ParameterError
from specconv.kernels.bank import KernelBank
from specconv.layers import LAYERS
from specconv.layers.base import LayerParameters, SpecgramInfo, by_frame
from specconv.layers.decibel import DecibelParameters, decibel_like
from specconv.parameters import Parameters, shown, validation_faults
from specconv.transforms.computing import compute
from specconv.transforms.scaling import Detector, Logarithm

Engine = Literal["auto", "conv1d", "fft"]
Parity = Literal["librosa", "torchaudio", "nnaudio", "kapre"]
Scale = Literal["magnitude", "power", "decibel", "log", "complex", "phase"]
UNITS: Mapping[Scale, str] = {
    "magnitude": "magnitude",
    "power": "power",
    "decibel": "dB",
    "log": "ln",
    "complex": "complex",
    "phase": "rad",
}


LONGEST_HOP = 2**22  # samples: 95 s at 44.1 kHz
# Samples of all kernels of a bank together: the conv1d engine writes them out, 2 GB of complex numbers at this bound.
MOST_CONVOLVED = 2**27 + 2**14

_NOTHING_KNOWN = SpecgramInfo(0, 0.0, 0, np.zeros(0))  # decibels are the same for all


@dataclass(frozen=True)
class Analysis:
    """From waveforms to coefficients by one engine.

    front: what may be shared. reach: which of the two knows what samples a frame sees.
    steps: from the front's blocks to `Coefficients`.
    """

    front: Front
    reach: Reach
    steps: tuple[nn.Module, ...] = ()


class TransformParameters(Parameters):
    """Parameters that every transform has; each transform's module adds its own.

    scale: what is stored of a coefficient; each transform says which it allows.
    ref, amin, top_db: of ``decibel``: ``10 log10(max(power, amin) / ref)`` (20 and 1e-5 for magnitudes), not lower
        than the clip's maximum less top_db when that is given; ``log`` is ``ln(max(value, amin))``. What is not
        given is the parity library's.
    parity: take that library's defaults for everything not given.
    """

    PARITY: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """library -> its defaults, by our names; no entry: that library has no such transform."""

    type: str
    name: str | None = Field(None, min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+=-]*$")
    scale: Scale = "magnitude"
    parity: Parity | None = None
    engine: Engine = "auto"
    amin: float | None = Field(None, gt=0)
    ref: Annotated[float, Field(gt=0)] | Literal["max"] = 1.0
    top_db: float | None = Field(None, gt=0)
    then: tuple[SerializeAsAny[LayerParameters], ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _fill_from_parity(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or given.get("parity") is None:
            return given
        if given["parity"] not in get_args(Parity):
            return given  # the field says what is wrong with it
        library: Parity = given["parity"]
        if library not in cls.PARITY:
            choice = f"choose from {', '.join(cls.PARITY)} or " if cls.PARITY else ""
            message = f"is {library}, which has no {given.get('type')} to agree with; {choice}leave parity out"
            raise ParameterError([Fault("parity", message)])
        return {"top_db": decibel_like(library, "power").top_db, **cls.PARITY[library], **given}

    @field_validator("then", mode="wrap")
    @classmethod
    def _layers_by_name(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        if not isinstance(value, (list, tuple)):
            return handler(value)
        layers: list[LayerParameters] = []
        faults: list[Fault] = []
        for i, item in enumerate(value):
            try:
                layers.append(_layer(item))
            except ParameterError as error:
                faults += [fault.under(f"[{i}]") for fault in error.faults]
        if faults:
            raise ParameterError(faults)
        return tuple(layers)

    def build(self, sample_rate: float, *, trainable: bool) -> Transform:
        """The transform as a module. Raises ParameterError with every fault."""
        if not 0 < sample_rate < math.inf:
            raise ParameterError([Fault("sample_rate", f"is {sample_rate} Hz; must be a positive number")])
        if faults := list(self.faults(sample_rate)):
            raise ParameterError(faults)
        return self.at(sample_rate).make(sample_rate, trainable=trainable)

    def at(self, sample_rate: float) -> TransformParameters:  # noqa: ARG002
        """The parameters with those filled in that a sample rate decides, Hz."""
        return self

    def faults(self, sample_rate: float) -> Iterator[Fault]:
        yield from super().faults(sample_rate)
        if self.scale == "complex" and self.then:
            yield Fault("then", "takes real values, but scale is complex; choose another scale or leave then out")

    @abstractmethod
    def make(self, sample_rate: float, *, trainable: bool) -> Transform:
        """The module, for values without faults."""

    def engine_for(self, trainable: bool) -> Literal["conv1d", "fft"]:
        """The engine that ``auto`` means: conv1d where kernels are trained, else fft.

        For fixed kernels the fft engine was faster for every bank and hop measured (README, "Which engine").
        Raises ParameterError for fft kernels that shall be trained.
        """
        if self.engine == "fft" and trainable:
            raise ParameterError([Fault("engine", "fft has fixed kernels; use conv1d or auto to train them")])
        if self.engine == "auto":
            return "conv1d" if trainable else "fft"
        return self.engine

    def level(self, of: Literal["magnitude", "power"]) -> list[nn.Module]:
        """What ``scale`` does to magnitudes or powers beyond naming them."""
        if self.scale == "log":
            return [Logarithm(self.amin or (1e-10 if of == "power" else 1e-5))]
        if self.scale == "decibel":
            given: dict[str, Any] = {"of": of, "parity": self.parity, "reference": self.ref, "top_db": self.top_db}
            if self.amin is not None:
                given["amin"] = self.amin
            decibel = DecibelParameters.model_validate(given)
            return [decibel.make(_NOTHING_KNOWN)]
        return []


def _layer(given: Any) -> LayerParameters:
    """The parameters of one layer of ``then``. Raises ParameterError with every fault."""
    if isinstance(given, LayerParameters):
        return given
    name = given.get("layer") if isinstance(given, Mapping) else given
    if not isinstance(given, Mapping) or not isinstance(name, str) or name not in LAYERS:
        raise ParameterError(f"is {shown(name)}, no layer; write {{layer: NAME}} with one of {', '.join(LAYERS)}")
    try:
        return LAYERS[name].model_validate(given)
    except ValidationError as error:
        raise ParameterError(validation_faults(error, LAYERS[name])) from error


def check_convolvable(bank: KernelBank) -> None:
    """Raise ParameterError for kernels that are too many or too long to be written out."""
    if (samples := int(bank.lengths.sum())) > MOST_CONVOLVED:
        message = f"conv1d holds every kernel, here {samples} samples in all; at most {MOST_CONVOLVED} are possible: "
        raise ParameterError([Fault("engine", message + "use fft, or fewer or shorter kernels")])


class Transform(nn.Module):
    """Waveforms ``(batch, time)`` or ``(time,)`` to specgrams ``(batch, n_bins, n_frames)`` or ``(n_bins, n_frames)``.

    Full scale of a waveform is -1 … 1. float32 and float64 are computed as given; float16 and bfloat16 in float32.
    """

    def __init__(
        self,
        parameters: TransformParameters,
        analysis: Analysis,
        finish: Sequence[nn.Module],
        *,
        sample_rate: float,
        hop_length: int,
        center_frequencies: NDArray[np.float64],
        units: str | None = None,
    ) -> None:
        super().__init__()
        finish = [*analysis.steps, *finish]
        self.parameters_given = parameters
        self.name = parameters.name or parameters.type
        self.front, self.reach = analysis.front, analysis.reach
        info = SpecgramInfo(
            len(center_frequencies),
            sample_rate,
            hop_length,
            center_frequencies,
            units or UNITS[parameters.scale],
        )
        # What needs more than a frame (the decibels' top_db, and all that follows it) waits until the clip is there.
        waits = [not by_frame(module) for module in finish]
        first = waits.index(True) if True in waits else len(finish)
        finish, clip_layers = finish[:first], finish[first:]
        self.n_finished = info.n_bins
        for i, parameters_of_layer in enumerate(parameters.then):
            try:
                layer = parameters_of_layer.build(info)
            except ParameterError as error:
                raise ParameterError([fault.under(f"then[{i}]") for fault in error.faults]) from error
            info = parameters_of_layer.output(info)
            if clip_layers or not by_frame(layer):
                clip_layers.append(layer)
            else:
                finish.append(layer)
                self.n_finished = info.n_bins
        self.finish, self.clip_layers = nn.Sequential(*finish), nn.Sequential(*clip_layers)
        self.info = info

    @property
    def n_bins(self) -> int:
        return self.info.n_bins

    @property
    def units(self) -> str:
        return self.info.units

    @property
    def center_frequencies(self) -> NDArray[np.float64]:
        """``(n_bins,)`` Hz; NaN where a bin has none."""
        return self.info.center_frequencies

    @property
    def sample_rate(self) -> float:
        return self.info.sample_rate

    @property
    def hop_length(self) -> int:
        return self.info.hop_length

    def n_frames(self, n_samples: int) -> int:
        """Frames of a clip of ``n_samples``; 0 if it is too short for one."""
        return self.front.n_frames(n_samples)

    @property
    def dtype(self) -> torch.dtype:
        """Of the values for float32 audio."""
        return torch.complex64 if self.units == "complex" else torch.float32

    def forward(self, waveforms: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """lengths: samples of each row that are its own, when rows are padded; frames beyond a row's own are zero."""
        return compute([self], waveforms, lengths)[0]

    def finish_into(self, coefficients: Any, out: Tensor) -> None:
        """What ``finish`` makes of a block's coefficients, written where it belongs; no gradient."""
        *steps, last = self.finish
        for step in steps:
            coefficients = step(coefficients)
        if isinstance(last, Detector):
            last.put(coefficients, out)
        else:
            out.copy_(last(coefficients))

    def extra_repr(self) -> str:
        return f"{self.name}: {self.n_bins} bins every {self.hop_length} samples of {self.sample_rate:g} Hz"
