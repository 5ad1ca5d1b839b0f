"""One recording that is too long for memory: from its file through the transforms, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from specconv.audio import stream as stream_audio
from specconv.datasets import ClipRef
from specconv.pipeline.compute import Frames
from specconv.pipeline.converter import Converter
from specconv.shards import ClipRow
from specconv.storage import output_error
from specconv.transforms.streaming import stream as stream_specgrams


class LongClip:
    """The specgrams of one file as an iterator over blocks of frames.

    path: of the shard; its folder holds what must wait for the end of the clip.
    Known only when the blocks are used up: n_samples, and the seconds of each stage.
    """

    def __init__(self, converter: Converter, clip: ClipRef, path: Path) -> None:
        self._converter, self._clip, self._path = converter, clip, path
        self.n_samples = self._source_sample_rate = 0
        self.seconds: Mapping[str, float] = {}

    def row(self) -> ClipRow:
        return self._converter.row(self._clip, self._source_sample_rate, self.n_samples)

    def blocks(self) -> Iterator[dict[str, Frames]]:
        """Yield, for each transform, ``(n_bins, some frames)``, in order.

        Raises AudioError for a fault of the file, OutputError if the shard's folder has no space left.
        """
        try:
            yield from self._blocks()
        except OSError as error:
            raise output_error(self._path, error) from error

    def _blocks(self) -> Iterator[dict[str, Frames]]:
        converter = self._converter
        with (
            stream_audio(self._clip.path, converter.recipe.audio, converter.block_samples) as audio,
            torch.inference_mode(),
        ):
            converter.check(self._clip, audio.source_sample_rate, converter.long_samples)
            on_device = (block.to(converter.device) for block in audio)
            for part in stream_specgrams(converter.members, on_device, self._path.parent):
                yield {name: values.cpu().numpy() for name, values in part.items()}
        self.n_samples, self._source_sample_rate = audio.n_samples, audio.source_sample_rate
        self.seconds = audio.seconds
