"""torchaudio.transforms (Yang et al., ICASSP 2022): torch.stft as modules, on every device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

import torch

from specconv.bench.peers.base import NotRunError, Peer, Prepared, Request, UsualBatch

_FRAMES = {key: key for key in ("n_fft", "win_length", "hop_length", "center", "pad_mode")} | {
    "window": "window_fn",
    "freq_scale": "freq_scale",
}
_MEL = _FRAMES | {key: key for key in ("n_mels", "f_min", "f_max", "norm", "mel_scale")}
_WINDOWS = {
    "hann": torch.hann_window,
    "hamming": torch.hamming_window,
    "blackman": torch.blackman_window,
    "bartlett": torch.bartlett_window,
    "boxcar": torch.ones,
}
_STFT_POWER = {"magnitude": 1.0, "power": 2.0, "decibel": 2.0, "complex": None}


class Torchaudio(Peer):
    """Modules as its users build them once and call them on batches."""

    name: ClassVar[str] = "torchaudio"
    parity: ClassVar[str] = "torchaudio"
    package: ClassVar[str] = "torchaudio"
    install: ClassVar[str] = "pip install torchaudio"
    devices: ClassVar[frozenset[str]] = frozenset({"cpu", "cuda", "mps"})
    usual_batch: ClassVar[UsualBatch | None] = "all at once"
    modules: ClassVar[Sequence[str]] = ("torchaudio.transforms",)
    transforms: ClassVar[frozenset[str]] = frozenset({"stft", "mel", "mfcc"})

    def build(self, request: Request) -> Prepared:
        transforms = import_module("torchaudio.transforms")
        kind, scale = request.kind, request.scale
        if request.sample_rate != int(request.sample_rate):
            raise NotRunError(f"torchaudio takes whole sample rates only, not {request.sample_rate} Hz")
        rate = int(request.sample_rate)
        if kind == "stft":
            if scale not in _STFT_POWER:
                raise NotRunError(f"torchaudio has no stft in {scale}")
            module = transforms.Spectrogram(power=_STFT_POWER[scale], **_arguments(request, _FRAMES))
        elif kind == "mel":
            if scale not in ("magnitude", "power", "decibel"):
                raise NotRunError(f"torchaudio has no mel in {scale}")
            arguments = _arguments(request, _MEL)
            module = transforms.MelSpectrogram(sample_rate=rate, power=request.exponent, **arguments)
        else:
            if scale != "decibel":
                raise NotRunError(f"torchaudio has no mfcc of {scale} mel")
            arguments = _arguments(request, _MEL | {"n_mfcc": "n_mfcc"})
            own = {key: arguments.pop(key) for key in ("n_mfcc",) if key in arguments}
            module = transforms.MFCC(sample_rate=rate, melkwargs=arguments, **own)
        if scale == "decibel" and kind != "mfcc":
            module = torch.nn.Sequential(module, transforms.AmplitudeToDB("power"))
        module = module.to(request.device)

        def run(waveforms: torch.Tensor) -> torch.Tensor:
            # (batch, channel, time): with fewer axes AmplitudeToDB takes one maximum for the whole batch
            specgrams: torch.Tensor = module(waveforms[:, None])
            return specgrams[:, 0]

        return Prepared(run)


def _arguments(request: Request, names: Mapping[str, str]) -> dict[str, Any]:
    request.refuse_spaced_bins("torchaudio")
    arguments = request.renamed(names, "torchaudio")
    arguments.pop("freq_scale", None)
    if "window_fn" in arguments:
        window = arguments["window_fn"]
        if window not in _WINDOWS:
            raise NotRunError(f"torch has no window {window!r}")
        arguments["window_fn"] = _WINDOWS[window]
    return arguments
