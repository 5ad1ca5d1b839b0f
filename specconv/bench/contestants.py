"""Who takes part: specconv, the peers, and specconv again where a peer does another amount of work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from specconv import __version__
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
from specconv.bench.peers.base import exponent_of
from specconv.bench.rows import TOGETHER
from specconv.errors import ParameterError
from specconv.transforms import TransformParameters, TransformSet, build_transform, transform_parameters

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


CLIP_BY_CLIP = "clip by clip"


class Lineup:
    """All contestants for one transform.

    device: of specconv, and of every peer that runs on it; the others run on the CPU.
    excerpt: the waveform ``(time,)`` of the first call, by which they are judged.
    """

    def __init__(self, given: Given, sample_rate: float, device: str, excerpt: torch.Tensor) -> None:
        self.given, self.sample_rate, self.device, self.excerpt = given, sample_rate, device, excerpt
        self.parameters = transform_parameters(given)
        self._definitions: dict[str, Definition] = {}

    def contestants(self, against: Sequence[str], *, clip_by_clip: bool = False) -> Iterator[Contestant]:
        """specconv first, then the peers named, each after its own specconv if it needs one.

        clip_by_clip: peers whose users call them so take part that way, too.
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
            if peer.version() is not None and parameters is not None and work_of(parameters) not in seen:
                seen.add(work_of(parameters))
                yield self._ours(f"specconv as {name}", asked, parameters)
            for method in peer.methods.get(self.given["type"], ("",)):
                work = work_of(parameters) if parameters else ""
                yield self._peer(peer, method, asked, work)
                if clip_by_clip and peer.called_clip_by_clip:
                    looped = self._peer(peer, method, asked, work)
                    yield replace(looped, library=f"{looped.library} {CLIP_BY_CLIP}", prepare=_one_at_a_time(looped))

    def _ours(self, library: str, asked: Given, parameters: TransformParameters) -> Contestant:
        def prepare() -> Prepared:
            transform = build_transform(asked, self.sample_rate).to(self.device)
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
        def judge(result: Any) -> Agreement:
            key = json.dumps(asked, sort_keys=True, default=str)
            if key not in self._definitions:
                self._definitions[key] = definition(asked, self.sample_rate, self.excerpt)
            return compare(result, self._definitions[key], self.parameters.scale, tolerance)

        return judge


def all_together(transforms: Sequence[Given], sample_rate: float, device: str, excerpt: torch.Tensor) -> Contestant:
    """One TransformSet of all transforms, judged by the same transforms one by one."""

    def build(given: Given) -> Any:
        return build_transform(given, sample_rate).to(device)

    def prepare() -> Prepared:
        together = TransformSet([build(given) for given in transforms]).to(device)
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


def _one_at_a_time(contestant: Contestant) -> Callable[[], Prepared]:
    return lambda: replace(contestant.prepare(), largest_batch=1)


_COSTING = (
    *("scale", "n_fft", "win_length", "hop_length", "center", "freq_scale"),
    *("n_mels", "n_mfcc", "n_bins", "bins_per_octave", "filter_scale", "gamma", "then"),
)


def work_of(parameters: TransformParameters) -> str:
    """Equal for parameters that cost the same to compute: padding, norms and mel scales differ at no cost."""
    values = {key: getattr(parameters, key, None) for key in _COSTING}
    return json.dumps({**values, "exponent": exponent_of(parameters)}, default=str)
