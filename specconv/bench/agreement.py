"""Whether a library computed what was asked: settled before its time is looked at.

Every result is compared with the plain definition in float64 (specconv's conv1d engine, which has oracles of
its own among the tests), built under the parity of the library that is judged. The figure is the largest
error of any coefficient relative to the largest; beyond its tolerance a row is wrong, however fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from specconv.errors import ParameterError
from specconv.transforms import build_transform, transform_parameters

OWN_TOLERANCE = 5e-5
"""For specconv: the fft engine keeps kernels to 2e-5 of the result's peak, and float32 adds its rounding."""

PEER_TOLERANCES: Mapping[str, float] = {
    "stft": 2e-3,  # float32, or the TF32 that cuDNN uses for convolutions by default
    "mel": 2e-3,
    "mfcc": 1e-2,
    "gammatonegram": 2e-3,
    "cfp": 3e-2,  # float32, which cannot hold it: see specconv.transforms.cfp
    "cqt": 5e-2,  # downsampling between octaves: librosa is off by up to 2 %
    "vqt": 5e-2,
}

_LINEAR: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "decibel": lambda level: 10 ** (level.astype(np.float64) / 20),
    "log": lambda level: np.exp(level.astype(np.float64)),
}

EXCERPT = 132_300  # samples of a clip that are compared
STEP = 7  # frames: the definition costs n_bins · kernel length each; odd, for librosa's kernels depend on hop's halves


@dataclass(frozen=True, slots=True)
class Agreement:
    """error: relative to the peak; inf for another shape or values not finite; None: not compared."""

    error: float | None
    tolerance: float
    reason: str = ""

    @property
    def is_wrong(self) -> bool:
        return self.error is not None and not self.error <= self.tolerance

    def __str__(self) -> str:
        if self.error is None:
            return f"not compared: {self.reason}"
        if not self.is_wrong:
            return "ok"
        return f"wrong: {self.reason or f'error {self.error:.1e} above {self.tolerance:.0e} of the peak'}"


@dataclass(frozen=True)
class Definition:
    """What a specgram must be. values: every step-th frame of it, ``(n_bins, …)``, float64; n_frames: of all."""

    values: NDArray[Any]
    step: int
    n_frames: int


def definition(given: Mapping[str, Any], sample_rate: float, waveform: torch.Tensor) -> Definition:
    """The specgram of ``waveform (time,)`` by direct correlation in float64.

    Only every STEP-th frame, by as large a hop, where a frame does not depend on the others. What cannot be had by
    correlation (nnAudio's CFP) is computed by FFT, in float64 too.
    """
    parameters, step = transform_parameters(given), 1
    whole = build_transform(parameters, sample_rate, engine="fft")
    if parameters.scale != "decibel" and not parameters.then:  # decibels may end below the clip's maximum
        step = STEP
        parameters = parameters.model_copy(update={"hop_length": STEP * whole.hop_length})
    try:
        exact = build_transform(parameters, sample_rate, engine="conv1d")
    except ParameterError:
        exact = build_transform(parameters, sample_rate, engine="fft")
    with torch.inference_mode():
        return Definition(as_array(exact.double().eval()(waveform.cpu().double())), step, whole.n_frames(len(waveform)))


def compare(result: Any, wanted: Definition, scale: str, tolerance: float) -> Agreement:
    """How well ``result (1, n_bins, n_frames)`` agrees with ``wanted``.

    scale: a phase is not compared, for that of a silent bin is anyone's; levels are as magnitudes, for those of
    nearly silent bins are all rounding. One frame more or less at the end, about which libraries disagree, is forgiven.
    """
    if scale == "phase":
        return Agreement(None, tolerance, "the phase of a silent bin is arbitrary")
    values = as_array(result)
    values = values[0] if values.ndim == 3 else values
    expected = (len(wanted.values), wanted.n_frames)
    if values.ndim != 2 or len(values) != expected[0] or abs(values.shape[1] - expected[1]) > 1:
        return Agreement(math.inf, tolerance, f"shape {values.shape}, expected {expected}")
    if not np.isfinite(values).all():
        return Agreement(math.inf, tolerance, "values that are not finite")
    values = values[:, :: wanted.step]
    frames = min(values.shape[1], wanted.values.shape[1])
    linear = _LINEAR.get(scale, np.asarray)
    return Agreement(relative_error(linear(values[:, :frames]), linear(wanted.values[:, :frames])), tolerance)


def relative_error(values: NDArray[Any], reference: NDArray[Any]) -> float:
    """max |values - reference| / max |reference|; 0 for two silences."""
    peak = float(np.abs(reference).max())
    error = float(np.abs(values.astype(np.result_type(reference, np.float64)) - reference).max())
    return error / peak if peak > 0 else (0.0 if error == 0 else math.inf)


def as_array(result: Any) -> NDArray[Any]:
    """A library's result in host memory."""
    if isinstance(result, torch.Tensor):
        return np.asarray(result.detach().cpu().resolve_conj().numpy())
    return np.asarray(result)
