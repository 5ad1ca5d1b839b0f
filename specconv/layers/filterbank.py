"""Filterbank: n_bins of a specgram weighted and summed into n_filters, fixed or trained.

    y[m, t] = sum_k weights[m, k] * x[k, t]

Kapre 0.1's Filterbank, with all four of the initialisations it names:

- ``mel``: triangles evenly spaced in mel, of unit area (slaney), as the mel transform's.
- ``log``: log-normal bumps at centres spaced evenly in log frequency from f_min to f_max, an eighth of that
  spacing wide, summing to 1. Kapre's, which names the spacing by ``bins_per_octave``; a centre so far from a
  bin that Kapre's filter is empty takes the nearest one here.
- ``linear``: triangles evenly spaced in Hz, of height 1, as torchaudio's linear_fbanks.
- ``random``: uniform between 0 and 2 / n_bins (Kapre's ``uni_random``, which it never built), so that on
  average a filter gives the mean of the bins. The same ``seed`` gives the same filters.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn

from specconv.engines.product import product
from specconv.errors import Fault, SpecconvWarning
from specconv.kernels.mel import mel_frequencies, mel_weights
from specconv.layers.base import Layer, LayerParameters, SpecgramInfo, check_specgram

Init = Literal["mel", "log", "linear", "random"]
_LOG_SPREAD = 0.125  # Kapre's: deviation of a log-normal filter, in distances between centres


class Filterbank(Layer):
    """``(batch, [channel,] n_bins, n_frames)`` to ``(batch, [channel,] n_filters, n_frames)``, type kept.

    weights: (n_filters, n_bins), kept in torch's default type. trainable: a parameter instead of a buffer.
    The product is computed in the input's type, half precision too.
    """

    weights: Tensor

    def __init__(self, weights: NDArray[np.float64], *, trainable: bool = False) -> None:
        super().__init__()
        values = torch.tensor(weights, dtype=torch.get_default_dtype())
        if trainable:
            self.weights = nn.Parameter(values)
        else:
            self.register_buffer("weights", values)

    def forward(self, specgram: Tensor) -> Tensor:
        check_specgram(specgram)
        *batch, n_bins, n_frames = specgram.shape
        specgram = specgram.reshape(math.prod(batch), n_bins, n_frames)
        filtered = product(self.weights.to(specgram.dtype), specgram)
        return filtered.reshape(*batch, len(self.weights), n_frames)

    def extra_repr(self) -> str:
        n_filters, n_bins = self.weights.shape
        return f"n_bins={n_bins}, n_filters={n_filters}, trainable={isinstance(self.weights, nn.Parameter)}"


class FilterbankParameters(LayerParameters):
    """``{layer: filterbank, n_filters: 64, init: mel}``.

    f_min, f_max: Hz, where the first filter begins and the last ends (log: their centres). f_min None: 0 Hz,
    or for log the lowest bin above it; f_max None: the highest bin. seed: of random filters.
    """

    layer: Literal["filterbank"] = "filterbank"
    n_filters: int = Field(ge=1)
    init: Init = "mel"
    f_min: float | None = Field(default=None, ge=0)
    f_max: float | None = Field(default=None, gt=0)
    trainable: bool = False
    seed: int = 0

    @model_validator(mode="after")
    def _random_has_no_band(self) -> FilterbankParameters:
        if self.init == "random" and (self.f_min, self.f_max) != (None, None):
            raise ValueError("f_min and f_max mean nothing to random filters; leave them out")
        return self

    def source_faults(self, source: SpecgramInfo) -> Iterator[Fault]:
        if self.n_filters > source.n_bins:
            yield Fault("n_filters", f"{self.n_filters} is more than the {source.n_bins} bins; lower it")
        if self.init == "random":
            return
        frequencies = source.center_frequencies
        if len(frequencies) != source.n_bins or np.isnan(frequencies).any():
            yield Fault("init", f"{self.init} needs bins that have a frequency; use random")
            return
        if self.init == "mel" and _n_fft(source) is None:
            yield Fault("init", "mel needs all bins of a Fourier transform; use log, linear or random")
        f_min, f_max = self._band(source)
        nyquist = source.sample_rate / 2
        if self.f_max is not None and self.f_max > nyquist:
            yield Fault("f_max", f"{f_max:g} Hz is above half the sample rate, {nyquist:g} Hz; lower it")
        if f_min >= f_max:
            yield Fault("f_min", f"{f_min:g} Hz is not below f_max, {f_max:g} Hz; lower it")
        if self.init == "log" and f_min == 0:
            yield Fault("f_min", "0 Hz has no logarithm; give more than 0 Hz")

    def make(self, source: SpecgramInfo) -> Filterbank:
        return Filterbank(self._weights(source), trainable=self.trainable)

    def output(self, source: SpecgramInfo) -> SpecgramInfo:
        return replace(source, n_bins=self.n_filters, center_frequencies=self._centers(source))

    def _band(self, source: SpecgramInfo) -> tuple[float, float]:
        """f_min and f_max, Hz."""
        frequencies = source.center_frequencies
        lowest = float(frequencies[frequencies > 0].min(initial=np.inf)) if self.init == "log" else 0.0
        f_min = lowest if self.f_min is None else self.f_min
        highest = min(float(frequencies.max()), source.sample_rate / 2)
        return f_min, highest if self.f_max is None else self.f_max

    def _centers(self, source: SpecgramInfo) -> NDArray[np.float64]:
        """Centres of the filters before any training, Hz."""
        if self.init == "random":
            return np.full(self.n_filters, np.nan)
        f_min, f_max = self._band(source)
        if self.init == "mel":
            return mel_frequencies(self.n_filters, f_min=f_min, f_max=f_max)
        if self.init == "log":
            return np.geomspace(f_min, f_max, self.n_filters)
        return np.linspace(f_min, f_max, self.n_filters + 2)[1:-1]

    def _weights(self, source: SpecgramInfo) -> NDArray[np.float64]:
        """(n_filters, n_bins)."""
        if self.init == "random":
            shape = (self.n_filters, source.n_bins)
            return np.random.default_rng(self.seed).uniform(0.0, 2.0 / source.n_bins, shape)
        f_min, f_max = self._band(source)
        if self.init == "mel":
            n_fft = _n_fft(source) or 0
            return mel_weights(source.sample_rate, n_fft, self.n_filters, f_min=f_min, f_max=f_max)
        if self.init == "log":
            spacing = np.log2(f_max / f_min) / max(self.n_filters - 1, 1)
            return _log_normal_weights(self._centers(source), spacing, source.center_frequencies)
        half_width = (f_max - f_min) / (self.n_filters + 1)
        return _triangular_weights(self._centers(source), half_width, source.center_frequencies)


def _triangular_weights(
    centers: NDArray[np.float64], half_width: float, frequencies: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Triangles of height 1, all of one width, Hz."""
    distances: NDArray[np.float64] = np.abs(frequencies - centers[:, None]) / half_width
    weights = np.maximum(0.0, 1.0 - distances)
    if n_empty := int((weights == 0).all(axis=1).sum()):
        warnings.warn(
            f"{n_empty} of {len(centers)} linear filters hold no bin of the spectrum and stay at zero; "
            "lower n_filters, or widen f_min to f_max",
            SpecconvWarning,
            stacklevel=2,
        )
    return weights


def _log_normal_weights(
    centers: NDArray[np.float64], spacing: float, frequencies: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Kapre's ``filterbank_log``, spacing in octaves; scaled by its peak before exp, so that none is lost."""
    weights = np.zeros((len(centers), len(frequencies)))
    heard = frequencies > 0
    octaves = np.log2(frequencies[heard])
    distances = (octaves - np.log2(centers)[:, None]) / (_LOG_SPREAD * spacing)
    exponents = -0.5 * distances**2 - octaves  # less log2 f, not ln f: so Kapre has it
    bumps = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    weights[:, heard] = bumps / bumps.sum(axis=1, keepdims=True)
    return weights


def _n_fft(source: SpecgramInfo) -> int | None:
    """The length of the Fourier transform whose bins these are; None if they are not all of one."""
    if source.n_bins < 2 or source.center_frequencies[1] <= 0:
        return None
    n_fft = round(source.sample_rate / source.center_frequencies[1])
    if n_fft // 2 + 1 != source.n_bins:
        return None
    bins = np.arange(source.n_bins) * source.sample_rate / n_fft
    return n_fft if np.allclose(source.center_frequencies, bins, rtol=1e-6, atol=1e-6) else None
