"""One recording that is too long for memory: from its file through the transforms, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from specconv.audio import stream as stream_audio
from specconv.pipeline.computing import Frames
from specconv.pipeline.plan import Plan
from specconv.pipeline.stages import Decoded
from specconv.shards import output_error
from specconv.transforms import Transform
from specconv.transforms.streaming import stream as stream_specgrams


class LongClip:
    """The specgrams of one file as an iterator over blocks of frames.

    Known only when the blocks are used up: n_samples, source_sample_rate, and the seconds of each stage.
    """

    def __init__(self, plan: Plan, item: Decoded, device: torch.device) -> None:
        self._plan, self._item, self._device = plan, item, device
        self.n_samples = self.source_sample_rate = 0
        self.seconds: Mapping[str, float] = {}

    def blocks(self) -> Iterator[dict[str, Frames]]:
        """For each transform ``(n_bins, some frames)``, in order.

        Raises AudioError for what shows on the way, OutputError if the folder of the shard has no room for a spool.
        """
        try:
            yield from self._blocks()
        except OSError as error:
            raise output_error(self._item.shard.path, error) from error

    def _blocks(self) -> Iterator[dict[str, Frames]]:
        plan = self._plan
        transforms: list[Transform] = list(plan.transforms.by_name.values())
        spool = self._item.shard.path.parent
        with (
            stream_audio(self._item.clip.path, plan.audio_format, plan.block_samples) as audio,
            torch.inference_mode(),
        ):
            plan.check_clip(self._item.clip, audio.source_sample_rate, plan.long_samples)
            on_device = (block.to(self._device) for block in audio)
            for part in stream_specgrams(transforms, on_device, spool):
                yield {name: values.cpu().numpy() for name, values in part.items()}
        self.n_samples, self.source_sample_rate = audio.n_samples, audio.source_sample_rate
        self.seconds = audio.seconds
