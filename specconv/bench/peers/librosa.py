"""librosa (McFee et al., SciPy 2015): NumPy on the CPU, what most people use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

import torch

from specconv.bench.peers.base import NotRunError, Peer, Prepared, Request, UsualBatch

_FRAMES = {key: key for key in ("n_fft", "win_length", "hop_length", "window", "center", "pad_mode")}
_MEL = _FRAMES | {"n_mels": "n_mels", "f_min": "fmin", "f_max": "fmax", "norm": "norm", "mel_scale": "htk"}
_CQT = {
    key: key for key in ("hop_length", "n_bins", "bins_per_octave", "filter_scale", "norm", "window", "pad_mode")
} | {"f_min": "fmin"}
NAMES: Mapping[str, Mapping[str, str]] = {
    "stft": _FRAMES | {"freq_scale": "freq_scale"},
    "mel": _MEL,
    "mfcc": _MEL | {"n_mfcc": "n_mfcc", "norm": "mel_norm", "lifter": "lifter"},
    "cqt": _CQT,
    "vqt": _CQT | {"gamma": "gamma"},
}


class Librosa(Peer):
    """Clips go one by one or many at once, as its functions allow; the bench takes the faster."""

    name: ClassVar[str] = "librosa"
    parity: ClassVar[str] = "librosa"
    package: ClassVar[str] = "librosa"
    install: ClassVar[str] = "pip install librosa"
    usual_batch: ClassVar[UsualBatch | None] = "clip by clip"
    modules: ClassVar[Sequence[str]] = ("librosa", "librosa.feature")
    transforms: ClassVar[frozenset[str]] = frozenset(NAMES)

    def build(self, request: Request) -> Prepared:
        librosa = import_module("librosa")
        kind = request.kind
        request.refuse_spaced_bins(self.name)
        arguments = request.renamed(NAMES[kind], self.name)
        arguments.pop("freq_scale", None)
        if arguments.get("gamma") == "erb":
            arguments["gamma"] = None
        if "htk" in arguments:
            arguments["htk"] = arguments["htk"] == "htk"
        if kind == "mel":
            arguments["power"] = request.exponent
        if kind != "stft":
            arguments["sr"] = request.sample_rate
        function: Callable[..., Any] = {
            "stft": librosa.stft,
            "mel": librosa.feature.melspectrogram,
            "mfcc": librosa.feature.mfcc,
            "cqt": librosa.cqt,
            "vqt": librosa.vqt,
        }[kind]
        scalings = _scalings(librosa, kind)
        if request.scale not in scalings:
            raise NotRunError(f"librosa has no {kind} in {request.scale}")
        scaled = scalings[request.scale]

        def run(waveforms: torch.Tensor) -> Any:
            return scaled(function(y=waveforms.numpy(), **arguments))

        # its decibels end top_db below the maximum of the whole array: of a batch, if it were given one
        return Prepared(run, largest_batch=1 if request.scale == "decibel" or kind == "mfcc" else None)


def _scalings(librosa: Any, kind: str) -> Mapping[str, Callable[[Any], Any]]:
    """From what the function returns to each scale it can be had in, as librosa's manual does it."""
    if kind == "mfcc":
        return {"decibel": lambda coefficients: coefficients}
    if kind == "mel":
        same = {name: lambda specgram: specgram for name in ("magnitude", "power")}
        return same | {"decibel": librosa.power_to_db}
    return {
        "complex": lambda specgram: specgram,
        "magnitude": abs,
        "power": lambda specgram: abs(specgram) ** 2,
        "decibel": lambda specgram: librosa.amplitude_to_db(abs(specgram)),
    }
