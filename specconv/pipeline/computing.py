"""The specgrams of a window of clips, each clip's own frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any

import torch
from numpy.typing import NDArray

from specconv.audio import similar_lengths
from specconv.engines.threads import pool
from specconv.pipeline.failures import is_out_of_memory
from specconv.transforms import TransformSet

Frames = NDArray[Any]
Specgrams = Mapping[str, Frames]

MOST_THREADS = 8  # that compute; each holds Python's lock for a few per cent of its time
PADDING_WASTE = 0.2  # of the samples of a batch, at most, where clips differ in length


class Computing:
    """Transforms windows of clips; on a CPU several threads each take a share of the clips.

    Within an operation torch's own threads wait for each other many times a millisecond, and on a machine that does
    other things (decoding, writing) they wait long. Threads that each follow their own clips do not wait: while the
    context is open torch gives each operation but its share of the cores.
    """

    def __init__(self, transforms: TransformSet, device: torch.device) -> None:
        self._transforms = transforms.to(device).eval()
        self.device = device
        cores = torch.get_num_threads()
        self._shares = min(cores, MOST_THREADS) if device.type == "cpu" else 1
        self._cores = cores
        self._pool = pool(self._shares, "compute", cores=max(1, cores // self._shares))

    def __enter__(self) -> Computing:
        torch.set_num_threads(max(1, self._cores // self._shares))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(self._cores)

    @contextmanager
    def all_cores(self) -> Iterator[None]:
        """While one recording is worked on alone, its operations have all the cores."""
        torch.set_num_threads(self._cores)
        try:
            yield
        finally:
            torch.set_num_threads(max(1, self._cores // self._shares))

    def __call__(self, waveforms: Sequence[torch.Tensor]) -> list[Specgrams | None]:
        """Specgrams ``(n_bins, n_frames)`` of clips of any lengths, for each clip by the transforms' names.

        Clips of similar length are computed together; that changes none of their numbers. A device that runs out of
        memory is given half as many at a time; None for a clip that it cannot even take alone.
        """
        lengths = [len(waveform) for waveform in waveforms]
        groups = [list(range(len(lengths)))]
        if len(set(lengths)) > 1:
            groups = similar_lengths(lengths, PADDING_WASTE, 2 * sum(lengths))
        shares = [share for group in groups for i in range(self._shares) if (share := group[i :: self._shares])]
        found: list[Specgrams | None] = [None] * len(lengths)
        alone = len(shares) == 1
        with self.all_cores() if alone else nullcontext():  # which are this thread's, not those of the pool
            for part in (map if alone else self._pool.map)(lambda share: self._share(waveforms, share), shares):
                for i, specgrams in part:
                    found[i] = specgrams
        return found

    def _share(self, waveforms: Sequence[torch.Tensor], share: list[int]) -> list[tuple[int, Specgrams | None]]:
        try:
            batch = self._batch([waveforms[i] for i in share])
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            batch = None
        # Here nothing holds what the failed attempt took, as the exception did.
        if batch is None:
            if len(share) == 1:
                return [(share[0], None)]
            return self._share(waveforms, share[::2]) + self._share(waveforms, share[1::2])
        own = {name: transform.n_frames for name, transform in self._transforms.by_name.items()}
        return [
            (i, {name: values[row, :, : own[name](len(waveforms[i]))] for name, values in batch.items()})
            for row, i in enumerate(share)
        ]

    def _batch(self, waveforms: list[torch.Tensor]) -> dict[str, Frames]:
        lengths = [len(waveform) for waveform in waveforms]
        if len(set(lengths)) == 1:
            batch, own = torch.stack(waveforms), None
        else:
            batch, own = torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True), lengths
        with torch.inference_mode():
            specgrams = self._transforms(batch.to(self.device), own)
            return {name: values.cpu().numpy() for name, values in specgrams.items()}
