"""A file as an AudioFormat wants it: whole, or block by block with the same numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from specconv.audio.clip import AudioFormat, LoadedClip
from specconv.audio.downmix import to_mono
from specconv.audio.fit import fit, fit_blocks
from specconv.audio.resample import Resampler, resampler
from specconv.audio.source import Source, StrPath
from specconv.errors import ParameterError


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a source becomes a format: n_in samples are read, and n_out given (None: all)."""

    sample_rate: int
    resampler: Resampler | None
    n_in: int | None
    n_out: int | None

    def length(self, n_samples: int) -> int:
        """Samples given of a file that has at least ``n_samples``, at least."""
        if self.n_out is not None:
            return self.n_out
        return self.resampler.length(n_samples) if self.resampler else n_samples


def _plan(source: Source, wanted: AudioFormat) -> _Plan:
    sample_rate = source.sample_rate if wanted.sample_rate is None else int(wanted.sample_rate)
    try:
        change = None if sample_rate == source.sample_rate else resampler(source.sample_rate, sample_rate)
    except ParameterError as error:
        raise source.error("resample", str(error)) from None
    if wanted.duration is None:
        return _Plan(sample_rate, change, None, None)
    n_out = round(wanted.duration * sample_rate)
    if n_out < 1:
        raise source.error(
            "resample",
            f"{wanted.duration} s is no sample at {sample_rate} Hz; give {1 / sample_rate} s or more",
        )
    return _Plan(sample_rate, change, change.needed(n_out) if change else n_out, n_out)


def load(path: StrPath, format: AudioFormat) -> LoadedClip:  # noqa: A002 (it is the field's word)
    """The waveform of a file in this format.

    No more is decoded than ``duration`` needs, and the numbers are those of all of it, cut. Damage beyond
    goes unseen unless the container tells. Raises AudioError; see ``decode``.
    """
    clip = load_at_most(path, format, math.inf)
    assert clip is not None
    return clip


def load_at_most(path: StrPath, format: AudioFormat, most: float) -> LoadedClip | None:  # noqa: A002
    """``load``, or None for a waveform of more than ``most`` samples, which had better be streamed.

    Memory is bounded whatever the header says: a file that promises so many is not decoded, one that does not say
    (or lies) only until so many have come.
    """
    started = perf_counter()
    with Source(path) as source:
        plan = _plan(source, format)
        if plan.length(source.promised) > most:
            return None
        blocks, n_decoded = [], 0
        for block in source.blocks(plan.n_in):
            n_decoded += len(block)
            if plan.length(n_decoded) > most:
                return None
            blocks.append(to_mono(block, format.channels))
    waveform = torch.from_numpy(blocks[0] if len(blocks) == 1 else np.concatenate(blocks))
    decoded = perf_counter()
    if plan.resampler is not None:
        waveform = plan.resampler(waveform)
    n_samples = len(waveform)
    if plan.n_out is not None:
        n_samples = min(n_samples, plan.n_out)
        waveform = fit(waveform, plan.n_out)
    seconds = {"decode": decoded - started, "resample": perf_counter() - decoded}
    return LoadedClip(waveform, plan.sample_rate, source.sample_rate, n_samples, seconds)


class AudioStream(Iterator[Tensor]):
    """The blocks of one file, made by ``stream``; the file is closed at the end or by ``close`` or ``with``.

    sample_rate, source_sample_rate: Hz.
    n_samples: samples of the file given so far, without padding; its length when the blocks are used up.
    seconds: spent so far in "decode" and "resample".
    """

    def __init__(self, path: StrPath, wanted: AudioFormat, block_samples: int) -> None:
        if block_samples < 1:
            raise ParameterError(f"block_samples is {block_samples}; at least 1")
        self._source = Source(path)
        try:
            plan = _plan(self._source, wanted)
        except BaseException:
            self._source.close()
            raise
        self.sample_rate = plan.sample_rate
        self.source_sample_rate = self._source.sample_rate
        self.n_samples = 0
        self.seconds = {"decode": 0.0, "resample": 0.0}
        self._channels = wanted.channels
        decoded = self._decoded(plan.n_in)
        converted = decoded if plan.resampler is None else plan.resampler.blocks(decoded)
        self._blocks: Iterator[Tensor] = fit_blocks(self._counted(converted, plan.n_out), block_samples, plan.n_out)

    def _decoded(self, n_in: int | None) -> Iterator[Tensor]:
        blocks = self._source.blocks(n_in)
        while True:
            started = perf_counter()
            block = next(blocks, None)
            mono = None if block is None else to_mono(block, self._channels)
            self.seconds["decode"] += perf_counter() - started
            if mono is None:
                return
            yield torch.from_numpy(mono)

    def _counted(self, blocks: Iterator[Tensor], n_out: int | None) -> Iterator[Tensor]:
        for block in blocks:
            self.n_samples += len(block)
            if n_out is not None:
                self.n_samples = min(self.n_samples, n_out)
            yield block

    def __next__(self) -> Tensor:
        started, decoding = perf_counter(), self.seconds["decode"]
        try:
            return next(self._blocks)
        except BaseException:
            self.close()
            raise
        finally:
            spent = perf_counter() - started
            self.seconds["resample"] += spent - (self.seconds["decode"] - decoding)

    def close(self) -> None:
        self._blocks = iter(())
        self._source.close()

    def __enter__(self) -> AudioStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def stream(path: StrPath, format: AudioFormat, block_samples: int) -> AudioStream:  # noqa: A002
    """The waveform of a file in blocks of ``block_samples`` (the last may be shorter), in bounded memory.

    Concatenated they are ``load(path, format).waveform`` to the bit. Raises AudioError, also from the
    iteration, for what shows only there; blocks given before are then part of a damaged file.
    """
    return AudioStream(path, format, block_samples)
