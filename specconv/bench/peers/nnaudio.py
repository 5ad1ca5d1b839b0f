"""nnAudio (Cheuk et al., IEEE Access 2020): transforms by one-dimensional convolution, on every device."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

import torch

from specconv.bench.peers.base import NotRunError, Peer, Prepared, Request

_FRAMES = {key: key for key in ("n_fft", "win_length", "hop_length", "window", "center", "pad_mode")}
_BAND = {"f_min": "fmin", "f_max": "fmax"}
_MEL = _FRAMES | _BAND | {"n_mels": "n_mels", "norm": "norm", "mel_scale": "htk"}
_CQT = {key: key for key in ("hop_length", "n_bins", "bins_per_octave", "filter_scale", "window", "pad_mode")} | {
    "f_min": "fmin",
    "norm": "basis_norm",
    "gain": "normalization_type",
}
_GAMMAS = {"gamma_0": 0.24, "gamma_1": 0.6, "gamma_2": 1.0}
NAMES: Mapping[str, Mapping[str, str]] = {
    "stft": _FRAMES | _BAND | {"freq_scale": "freq_scale", "n_bins": "freq_bins"},
    "mel": _MEL,
    "mfcc": _MEL | {"n_mfcc": "n_mfcc"},
    "cqt": _CQT,
    "vqt": _CQT | {"gamma": "gamma"},
    "gammatonegram": _FRAMES | _BAND | {"n_bins": "n_bins"},
    "cfp": {
        "n_fft": "n_fft",
        "resolution": "fr",
        "win_length": "window_size",
        "hop_length": "hop_length",
        "f_min": "fc",
        "f_max": "tc",
        "bins_per_octave": "NumPerOct",
        **{key: key for key in _GAMMAS},
    },
}
_CLASSES = {
    "stft": "STFT",
    "mel": "MelSpectrogram",
    "mfcc": "MFCC",
    "cqt": "CQT1992v2",
    "vqt": "VQT",
    "gammatonegram": "Gammatonegram",
    "cfp": "CFP",
}


class NnAudio(Peer):
    """Both of its good CQTs are timed: 1992v2, the definition, and 2010v2, downsampled octave by octave."""

    name: ClassVar[str] = "nnaudio"
    parity: ClassVar[str] = "nnaudio"
    package: ClassVar[str] = "nnAudio"
    install: ClassVar[str] = "pip install nnAudio"
    modules: ClassVar[Sequence[str]] = ("nnAudio.features",)
    devices: ClassVar[frozenset[str]] = frozenset({"cpu", "cuda", "mps"})
    methods: ClassVar[Mapping[str, Sequence[str]]] = {"cqt": ("CQT1992v2", "CQT2010v2")}
    transforms: ClassVar[frozenset[str]] = frozenset(NAMES)

    def build(self, request: Request) -> Prepared:
        kind, scale = request.kind, request.scale
        if scale not in _SCALES[kind]:
            raise NotRunError(f"{self.name} has no {kind} in {scale}")
        arguments = request.renamed(NAMES[kind], self.name)
        name = request.method or _CLASSES[kind]
        options = _options(kind, scale, arguments)
        if kind == "stft":
            spacing = arguments.get("freq_scale", "uniform")
            arguments["freq_scale"] = "no" if spacing == "uniform" else spacing
        if "htk" in arguments:
            arguments["htk"] = arguments["htk"] == "htk"
        if "norm" in arguments:
            arguments["norm"] = 1 if arguments["norm"] == "slaney" else None
        if name == "CQT1992v2" and "basis_norm" in arguments:
            arguments["norm"] = arguments.pop("basis_norm")
        if kind in ("mel", "gammatonegram"):
            arguments["power"] = request.exponent
        if kind == "cfp":
            arguments = _cfp_arguments(arguments, request.sample_rate)
        else:
            arguments |= {"sr": request.sample_rate, "verbose": False}
        module = getattr(import_module(self.modules[0]), name)(**arguments).to(request.device).eval()

        def run(waveforms: torch.Tensor) -> torch.Tensor:
            specgrams: torch.Tensor = module(waveforms, **options)
            if kind in ("stft", "cqt", "vqt"):
                if scale == "power":
                    return specgrams.square()
                if scale == "complex":
                    return torch.view_as_complex(specgrams)
            return specgrams

        return Prepared(run)


_SCALES: Mapping[str, Sequence[str]] = {
    "stft": ("magnitude", "power", "complex", "phase"),
    "mel": ("magnitude", "power"),
    "mfcc": ("decibel",),
    "cqt": ("magnitude", "power", "complex"),
    "vqt": ("magnitude", "power", "complex"),
    "gammatonegram": ("magnitude", "power"),
    "cfp": ("magnitude",),
}


def _options(kind: str, scale: str, arguments: dict[str, Any]) -> dict[str, str]:
    """What is said at the call and not when building: taken out of ``arguments``."""
    if kind not in ("stft", "cqt", "vqt"):
        return {}
    options = {"output_format": {"complex": "Complex", "phase": "Phase"}.get(scale, "Magnitude")}
    if "normalization_type" in arguments:
        options["normalization_type"] = arguments.pop("normalization_type")
    return options


def _cfp_arguments(named: Mapping[str, Any], sample_rate: float) -> dict[str, Any]:
    """Its CFP takes Hz a bin, the shortest period in s and a list of exponents for n_fft, f_max and the gammas."""
    arguments = {key: value for key, value in named.items() if key not in ("n_fft", *_GAMMAS) and value is not None}
    arguments["fs"] = sample_rate
    if named.get("fr") is None and "n_fft" in named:
        arguments["fr"] = sample_rate / named["n_fft"]
        if int(sample_rate / arguments["fr"]) < named["n_fft"]:  # it rounds down
            arguments["fr"] = math.nextafter(arguments["fr"], 0.0)
    if "tc" in arguments:
        arguments["tc"] = 1 / arguments["tc"]
    if named.keys() & _GAMMAS:
        arguments["g"] = [named.get(key, default) for key, default in _GAMMAS.items()]
    return arguments
