"""Who takes part: specconv, the peers, and specconv again where a peer does another amount of work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from specconv.bench.agreement import (
    OWN_TOLERANCE,
    PEER_TOLERANCES,
    Agreement,
    Definition,
    as_array,
    compare,
    definition,
)
from specconv.bench.peers import PEERS, Peer, Prepared
from specconv.bench.peers.base import UsualBatch, exponent_of
from specconv.bench.rows import TOGETHER
from specconv.engines.framed_fft import CPU_BLOCK, GPU_BLOCK, Framing
from specconv.errors import ParameterError
from specconv.transforms import TransformParameters, TransformSet, build_transform, transform_parameters
from specconv.transforms.framed import FramedParameters
from specconv.version import __version__

Given = Mapping[str, Any]  # a transform's parameters, as build_transform takes them


@dataclass(frozen=True)
class Contestant:
    """A library's way to a transform, not yet built.

    parameters: what its result must agree with, parity and all. work: equal for equal amounts of work.
    load: imports the library, which is no part of its first call.
    judge: whether its result for the excerpt, as ``Prepared.run`` gives it, is right.
    """

    library: str
    version: str
    device: str
    parameters: Given
    work: str
    prepare: Callable[[], Prepared]
    judge: Callable[[Any], Agreement]
    load: Callable[[], None] = lambda: None


class Lineup:
    """All contestants for one transform.

    device: of specconv, and of every peer that runs on it; the others run on the CPU.
    excerpt: the waveform ``(time,)`` of the first call, by which they are judged.
    """

    def __init__(self, given: Given, sample_rate: float, device: str, excerpt: torch.Tensor) -> None:
        self.given, self.sample_rate, self.device, self.excerpt = given, sample_rate, device, excerpt
        self.parameters = transform_parameters(given)
        self._definitions: dict[str, Definition] = {}

    def contestants(self, against: Sequence[str], *, in_depth: bool = False) -> Iterator[Contestant]:
        """specconv first, then the peers named, each after its own specconv if it needs one.

        in_depth: peers also take part with the batch that their users give them, where they have such a habit, and
        beside transforms of short-time spectra stand the FFTs of their frames alone.
        """
        seen = {work_of(self.parameters)}
        yield self._ours("specconv", self.given, self.parameters)
        alone = {key: value for key, value in self.given.items() if key != "then"}  # no peer has our layers
        for name in against:
            peer = PEERS[name]
            asked = {**alone, "parity": peer.parity}
            try:
                parameters: TransformParameters | None = transform_parameters(asked)
            except ParameterError:
                parameters = None  # no such parity: the peer will say that it has no such transform
            if parameters is not None and any(parameters.faults(self.sample_rate)):
                parameters = None  # impossible with the peer's defaults: it will say which
            if peer.version() is not None and parameters is not None and work_of(parameters) not in seen:
                seen.add(work_of(parameters))
                yield self._ours(f"specconv as {name}", asked, parameters)
            for method in peer.methods.get(self.given["type"], ("",)):
                work = work_of(parameters) if parameters else ""
                yield self._peer(peer, method, asked, work)
                if in_depth and peer.usual_batch and self.given["type"] in peer.transforms:
                    usual = self._peer(peer, method, asked, work)
                    prepare = partial(_with_usual_batch, usual, peer.usual_batch)
                    yield replace(usual, library=f"{usual.library} {peer.usual_batch}", prepare=prepare)
        if in_depth and isinstance(self.parameters, FramedParameters):
            yield bare_fft(self.parameters.framing, self.device, work_of(self.parameters))

    def _ours(self, library: str, asked: Given, parameters: TransformParameters) -> Contestant:
        def prepare() -> Prepared:
            transform = build_transform(asked, self.sample_rate).to(self.device).eval()
            return Prepared(transform, run_padded=transform)

        judge = self._judge(asked, OWN_TOLERANCE)
        return Contestant(library, __version__, self.device, asked, work_of(parameters), prepare, judge)

    def _peer(self, peer: Peer, method: str, asked: Given, work: str) -> Contestant:
        device = self.device if self.device.split(":")[0] in peer.devices else "cpu"

        def prepare() -> Prepared:
            return peer.prepare(asked, self.sample_rate, device, method)

        judge = self._judge(asked, PEER_TOLERANCES.get(self.given["type"], OWN_TOLERANCE))
        library = f"{peer.name} {method}".strip()
        return Contestant(library, peer.version() or "", device, asked, work, prepare, judge, peer.load)

    def _judge(self, asked: Given, tolerance: float) -> Callable[[Any], Agreement]:
        # What is no level: coefficients of levels, and whatever layers make of them.
        scale = "as stored" if self.parameters.type == "mfcc" or self.parameters.then else self.parameters.scale

        def judge(result: Any) -> Agreement:
            key = json.dumps(asked, sort_keys=True, default=str)
            if key not in self._definitions:
                self._definitions[key] = definition(asked, self.sample_rate, self.excerpt)
            return compare(result, self._definitions[key], scale, tolerance)

        return judge


def all_together(transforms: Sequence[Given], sample_rate: float, device: str, excerpt: torch.Tensor) -> Contestant:
    """One TransformSet of all transforms, judged by the same transforms one by one."""

    def build(given: Given) -> Any:
        return build_transform(given, sample_rate).to(device).eval()

    def prepare() -> Prepared:
        together = TransformSet([build(given) for given in transforms]).to(device).eval()
        return Prepared(together, run_padded=together)

    def judge(result: Mapping[str, torch.Tensor]) -> Agreement:
        verdicts = []
        for given, specgram in zip(transforms, result.values(), strict=True):
            alone = build(given)(excerpt[None].to(device))
            wanted = Definition(as_array(alone)[0], 1, alone.shape[-1])
            verdicts.append(compare(specgram, wanted, "as stored", OWN_TOLERANCE))
        return max(verdicts, key=lambda verdict: verdict.error or 0.0)

    parameters = {"transforms": [dict(given) for given in transforms]}
    return Contestant("specconv", __version__, device, parameters, TOGETHER, prepare, judge)


def bare_fft(framing: Framing, device: str, work: str) -> Contestant:
    """The FFTs of as many frames, over and over of the same ones: what remains is avoidable.

    On a CPU they go from cache to cache; on a GPU they are as many at once as specconv's own.
    """

    def prepare() -> Prepared:
        points = CPU_BLOCK if device == "cpu" else GPU_BLOCK
        frames = torch.randn(max(1, points // framing.n_fft), framing.n_fft, device=device)

        def run(waveforms: torch.Tensor) -> None:
            left = len(waveforms) * framing.n_frames(waveforms.shape[1])
            while left > 0:
                torch.fft.rfft(frames[:left])
                left -= len(frames)

        return Prepared(run, all_at_once=True)

    def judge(_: Any) -> Agreement:
        return Agreement(None, OWN_TOLERANCE, "no specgram, but the FFTs of as many frames and nothing else")

    return Contestant("bare FFT", torch.__version__, device, {}, work, prepare, judge)


def _with_usual_batch(contestant: Contestant, batch: UsualBatch) -> Prepared:
    prepared = contestant.prepare()
    if batch == "all at once":
        return replace(prepared, all_at_once=prepared.largest_batch is None)
    return replace(prepared, largest_batch=1)


_COSTING = (
    *("scale", "n_fft", "resolution", "win_length", "hop_length", "center", "freq_scale"),
    *("n_mels", "n_mfcc", "n_bins", "bins_per_octave", "filter_scale", "gamma", "then"),
)


def work_of(parameters: TransformParameters) -> str:
    """Equal for parameters that cost the same to compute: padding, norms and mel scales differ at no cost."""
    values = {key: getattr(parameters, key, None) for key in _COSTING}
    return json.dumps({**values, "exponent": exponent_of(parameters)}, default=str)
