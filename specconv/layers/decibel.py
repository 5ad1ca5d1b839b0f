"""Decibel: the logarithmic scale of power and magnitude.

    decibel = multiplier * log10(max(x, amin) / max(reference, amin))       10 for power, 20 for magnitude
    decibel = max(decibel, decibel of the clip's largest value - top_db)    unless top_db is None

Largest values are those of a clip's own bins and frames (and channels), as in librosa called with one clip.
torchaudio's AmplitudeToDB with top_db does so for 4-D input alone and takes one threshold for all clips of a
3-D batch; that is not repeated here, and its default is top_db None anyway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple, get_args

import torch
from pydantic import Field, model_validator
from torch import Tensor

from specconv.layers.base import (
    ClipLayer,
    LayerParameters,
    Scope,
    SpecgramInfo,
    at_least_float32,
    check_specgram,
)

Scale = Literal["power", "magnitude"]
Library = Literal["librosa", "torchaudio", "nnaudio", "kapre"]


class _Preset(NamedTuple):
    multiplier: float
    amin: float
    top_db: float | None


# Every library's reference is 1.
_PRESETS: dict[tuple[str | None, str], _Preset] = {
    (None, "power"): _Preset(10.0, 1e-10, None),
    (None, "magnitude"): _Preset(20.0, 1e-5, None),
    ("librosa", "power"): _Preset(10.0, 1e-10, 80.0),  # power_to_db
    ("librosa", "magnitude"): _Preset(20.0, 1e-5, 80.0),  # amplitude_to_db
    ("torchaudio", "power"): _Preset(10.0, 1e-10, None),  # AmplitudeToDB("power")
    ("torchaudio", "magnitude"): _Preset(20.0, 1e-10, None),  # AmplitudeToDB("magnitude")
    ("nnaudio", "power"): _Preset(10.0, 1e-10, 80.0),  # within its MFCC, its only one
    ("nnaudio", "magnitude"): _Preset(20.0, 1e-10, 80.0),
    ("kapre", "power"): _Preset(10.0, 1e-5, 80.0),
    ("kapre", "magnitude"): _Preset(10.0, 1e-5, 80.0),  # MagnitudeToDecibel of Kapre 0.3 is 10 log10 too
}


class Decibel(ClipLayer["Tensor | None"]):
    """Power or magnitude to decibel, shape and type kept.

    multiplier: 10 for power, 20 for magnitude.
    reference: the value that becomes 0 dB, or "max" for each clip's largest.
    amin: smaller values count as this one, so that silence is finite; gradients are zero there.
    top_db: so many dB below the clip's largest value it is clipped; None: never.
    float16 and bfloat16 are computed in float32.
    """

    def __init__(
        self,
        multiplier: float = 10.0,
        reference: float | Literal["max"] = 1.0,
        amin: float = 1e-10,
        top_db: float | None = None,
    ) -> None:
        super().__init__()
        self.multiplier, self.reference, self.amin, self.top_db = multiplier, reference, amin, top_db

    @property
    def scope(self) -> Scope:
        return _scope(self.reference, self.top_db)

    def observe(self, specgram: Tensor, statistics: Tensor | None = None) -> Tensor | None:
        """The largest value of each clip so far, (batch, [1,] 1, 1); None if nothing needs it."""
        if self.scope == "frame":
            return None
        peak = at_least_float32(specgram).amax(dim=tuple(range(1, specgram.dim())), keepdim=True)
        return peak if statistics is None else torch.maximum(peak, statistics)

    def adjust(self, specgram: Tensor, statistics: Tensor | None) -> Tensor:
        check_specgram(specgram)
        decibel = self._scaled_logarithm(at_least_float32(specgram))
        if statistics is not None:
            peak = self._scaled_logarithm(statistics)
            if self.reference == "max":
                decibel, peak = decibel.sub_(peak), torch.zeros_like(peak)
            if self.top_db is not None:
                decibel = decibel.clamp_(min=peak - self.top_db)
        return decibel.to(specgram.dtype)

    def _scaled_logarithm(self, x: Tensor) -> Tensor:
        """Decibel to the reference, or to 1 where each clip has its own."""
        reference = 1.0 if isinstance(self.reference, str) else max(self.reference, self.amin)
        decibel = x.clamp(min=self.amin).log10_().mul_(self.multiplier)
        return decibel if reference == 1.0 else decibel.sub_(self.multiplier * math.log10(reference))

    def extra_repr(self) -> str:
        names = ("multiplier", "reference", "amin", "top_db")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)


class DecibelParameters(LayerParameters):
    """``{layer: decibel, of: magnitude, top_db: 80}``.

    ``parity`` gives ``amin`` and ``top_db`` that library's values where they are not given here, and Kapre's
    factor 10 for magnitudes. Without it values are clipped at ``amin`` alone, so that no frame depends on
    another. Kapre 0.1's AmplitudeToDB is ``{of: power, reference: max, amin: 1e-10, top_db: 80}``.
    """

    layer: Literal["decibel"] = "decibel"
    of: Scale = "power"
    parity: Library | None = None
    reference: Annotated[float, Field(gt=0)] | Literal["max"] = 1.0
    amin: float = Field(default=1e-10, gt=0)
    top_db: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        of, parity = given.get("of", "power"), given.get("parity")
        if of not in get_args(Scale) or parity not in (None, *get_args(Library)):
            return given  # the fields say what is wrong with them
        preset = _PRESETS[parity, of]
        return {"amin": preset.amin, "top_db": preset.top_db, **given}

    @property
    def scope(self) -> Scope:
        return _scope(self.reference, self.top_db)

    def make(self, source: SpecgramInfo) -> Decibel:  # noqa: ARG002
        multiplier = _PRESETS[self.parity, self.of].multiplier
        return Decibel(multiplier, self.reference, self.amin, self.top_db)

    def output(self, source: SpecgramInfo) -> SpecgramInfo:
        return replace(source, units="dB")


def decibel_like(library: Library | None, of: Scale) -> Decibel:
    """The scale of one library as it is by default; None for specconv's own."""
    preset = _PRESETS[library, of]
    return Decibel(preset.multiplier, 1.0, preset.amin, preset.top_db)


def _scope(reference: float | str, top_db: float | None) -> Scope:
    return "frame" if top_db is None and reference != "max" else "clip"
