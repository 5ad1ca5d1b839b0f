"""Kapre (Choi, Joo and Kim, 2017): Keras layers over tf.signal.

Tried with kapre 0.4.1, TensorFlow 2.20 and Keras 3.13 on Python 3.11; kapre asks for TensorFlow below 2.21
and Keras below 3.14. The layer runs inside a tf.function, as within a model, on as many threads as torch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any, ClassVar

import torch

from specconv.bench.peers.base import NotRunError, Peer, Prepared, Request

_FRAMES = {key: key for key in ("n_fft", "win_length", "hop_length", "center", "freq_scale")} | {
    "window": "window_name"
}
_MEL = _FRAMES | {
    "n_mels": "n_mels",
    "f_min": "mel_f_min",
    "f_max": "mel_f_max",
    "norm": "mel_norm",
    "mel_scale": "mel_htk",
}


class Kapre(Peer):
    """Only the layers of today's kapre: those of its paper are gone from it."""

    name: ClassVar[str] = "kapre"
    parity: ClassVar[str] = "kapre"
    package: ClassVar[str] = "kapre"
    install: ClassVar[str] = "pip install 'specconv[kapre]'"
    modules: ClassVar[Sequence[str]] = ("tensorflow", "kapre.composed")
    transforms: ClassVar[frozenset[str]] = frozenset({"stft", "mel"})

    def load(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # it would talk of missing GPUs on stderr
        super().load()

    def build(self, request: Request) -> Prepared:
        kind, scale = request.kind, request.scale
        request.refuse_spaced_bins(self.name)
        arguments = request.renamed(_FRAMES if kind == "stft" else _MEL, self.name)
        arguments.pop("freq_scale", None)
        if arguments.pop("center", False):
            raise NotRunError("kapre does not centre its frames")
        if scale not in ("magnitude", "decibel") and request.exponent != 1.0:
            raise NotRunError(f"kapre has no {kind} in {scale}: it weighs magnitudes")
        tensorflow = _tensorflow()
        composed = import_module("kapre.composed")
        if "window_name" in arguments:
            arguments["window_name"] = f"{arguments['window_name']}_window"
        if "mel_htk" in arguments:
            arguments["mel_htk"] = arguments["mel_htk"] == "htk"
        if kind == "mel":
            arguments["sample_rate"] = request.sample_rate
        make = composed.get_stft_magnitude_layer if kind == "stft" else composed.get_melspectrogram_layer
        layer = make(
            return_decibel=scale == "decibel",
            input_data_format="channels_first",
            output_data_format="channels_first",
            **arguments,
        )
        compiled = tensorflow.function(layer)

        def run(waveforms: torch.Tensor) -> Any:
            specgrams = compiled(tensorflow.convert_to_tensor(waveforms.numpy()[:, None]))
            return specgrams.numpy()[:, 0].swapaxes(1, 2)  # a view of (batch, channel, time, frequency)

        return Prepared(run)


def _tensorflow() -> Any:
    """TensorFlow on torch's number of threads; it accepts a number only before it first computes."""
    tensorflow = import_module("tensorflow")
    threads = tensorflow.config.threading
    if threads.get_intra_op_parallelism_threads() != torch.get_num_threads():
        try:
            threads.set_intra_op_parallelism_threads(torch.get_num_threads())
        except RuntimeError as fault:
            raise NotRunError(f"TensorFlow already runs on other threads than torch: {fault}") from fault
    return tensorflow
