"""What a shard is made from: the recipe that all shards of a conversion share, and the task that is one shard's own.

`specconv.pipeline.shard.make_shard` needs nothing else. Both are small and can be pickled, so a shard can be made in
another process or on another machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from specconv.audio import AudioFormat
from specconv.config import ShardsConfig
from specconv.datasets import ClipRef
from specconv.shards import FailedClip, ShardEntry
from specconv.transforms import TransformParameters


@dataclass(frozen=True)
class Recipe:
    """What all shards of a conversion share.

    root: the folder of the audio. dataset: its name in `specconv.datasets.DATASETS`.
    audio: what every clip becomes; its sample rate is known.
    resample: False: a clip of another sample rate is refused, because the config names no rate.
    config: the config with every default written out. Shards of one conversion have the same.
    """

    root: Path
    dataset: str
    audio: AudioFormat
    resample: bool
    transforms: tuple[TransformParameters, ...]
    shards: ShardsConfig
    config: str

    @property
    def sample_rate(self) -> int:
        """Hz, of every waveform that is transformed."""
        assert self.audio.sample_rate is not None
        return self.audio.sample_rate

    def stored_path(self, clip: ClipRef) -> str:
        """Return the clip's path below the audio folder, as shards and ledger have it."""
        return clip.path.relative_to(self.root).as_posix()


@dataclass(frozen=True)
class ShardTask:
    """One shard to make: its number, its clips in order, and the fingerprint of all that it is made from."""

    number: int
    clips: tuple[ClipRef, ...]
    fingerprint: str


@dataclass(frozen=True)
class ShardResult:
    """One shard that is whole.

    entry: its line of the index. failures: the clips that are not in it.
    audio_seconds: of the clips in it. seconds: of work, by stage (`specconv.pipeline.report.STAGES`).
    """

    number: int
    entry: ShardEntry
    failures: tuple[FailedClip, ...]
    audio_seconds: float
    seconds: Mapping[str, float]
