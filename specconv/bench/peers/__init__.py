"""The libraries that specconv is timed beside; adding one is a module and a line here."""

from __future__ import annotations

from specconv.bench.peers.base import NotRunError, Peer, Prepared
from specconv.bench.peers.kapre import Kapre
from specconv.bench.peers.librosa import Librosa
from specconv.bench.peers.nnaudio import NnAudio
from specconv.bench.peers.nnaudio2 import NnAudio2
from specconv.bench.peers.torchaudio import Torchaudio

PEERS: dict[str, Peer] = {peer.name: peer for peer in (Librosa(), Torchaudio(), NnAudio(), NnAudio2(), Kapre())}

__all__ = ["PEERS", "NotRunError", "Peer", "Prepared"]
