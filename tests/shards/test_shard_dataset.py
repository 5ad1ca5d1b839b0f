from __future__ import annotations

import gc
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from shard_makers import (
    CONFIG,
    LABELS,
    make_row,
    make_spec,
    make_values,
    n_frames_of,
    open_writer,
    write_folder,
    write_shard,
)
from torch.utils.data import DataLoader, default_collate

import specconv
from specconv.errors import ShardError
from specconv.notes import NOTE_DTYPE
from specconv.shards import ShardDataset, collate, dataset, write_index


def shard_descriptors(folder: Path) -> list[int]:
    """The file descriptors of this process that lead into a folder."""
    names = os.listdir("/proc/self/fd")  # noqa: PTH208 (the folder changes while it is read)
    return [int(name) for name in names if os.path.realpath(f"/proc/self/fd/{name}").startswith(f"{folder}/")]


def open_files(folder: Path) -> int:
    return len(shard_descriptors(folder))


def write_many(folder: Path, n_shards: int, clips: int, **changes: Any) -> Path:
    folder.mkdir()
    shards = [write_shard(folder, i, range(i * clips, (i + 1) * clips), **changes) for i in range(n_shards)]
    write_index(
        folder,
        dataset="folder",
        audio=folder,
        config_yaml=CONFIG,
        specs=[make_spec()],
        label_fields=LABELS,
        has_notes=True,
        shards=shards,
    )
    return folder


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_every_clip_comes_back_with_its_labels(tmp_path: Path, ragged: bool, compression: str) -> None:
    folder = write_folder(tmp_path / "out", ragged=ragged, compression=compression)
    data = ShardDataset(str(folder), "mel")
    assert len(data) == 7
    for i in range(7):
        specgram, labels = data[i]
        assert specgram.dtype == torch.float32
        np.testing.assert_array_equal(specgram.numpy(), make_values(i, n_frames_of(i, ragged)))
        row = make_row(i, n_notes=i % 3)
        notes = labels.pop("notes")
        assert notes.dtype == NOTE_DTYPE
        np.testing.assert_array_equal(notes, row.notes)
        assert labels == {"id": row.id, **row.labels}
        assert {field: type(value) for field, value in labels.items()} == {"id": str, **LABELS}


def test_indices_are_those_of_a_list(tmp_path: Path) -> None:
    data = ShardDataset(write_folder(tmp_path / "out"), "mel")
    assert data[-1][1]["id"] == data[6][1]["id"] == data[np.int64(6)][1]["id"] == "clip 006"
    for index in (7, -8):
        with pytest.raises(IndexError, match=f"sample {index} of 7"):
            data[index]
    with pytest.raises(TypeError):
        data["clip 001"]  # type: ignore[index]
    assert [labels["id"] for _, labels in data.__getitems__([6, 0, -1, 3])] == [
        "clip 006",
        "clip 000",
        "clip 006",
        "clip 003",
    ]


def test_what_the_folder_says_of_its_specgrams(tmp_path: Path) -> None:
    data = specconv.ShardDataset(write_folder(tmp_path / "out"), "mel")
    assert (data.sample_rate, data.hop_length, data.units, data.axes) == (16000, 512, "dB", ("frequency", "time"))
    np.testing.assert_array_equal(data.center_frequencies, np.linspace(0, 8000, 6))
    assert data.labels("octave").tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert data.labels("octave").dtype == np.int64
    assert data.labels("loudness").dtype == np.float64
    assert (data.labels("root") == "Df").tolist() == [i % 2 == 0 for i in range(7)]
    assert data.labels("id")[5] == "clip 005"
    assert data.labels("path")[5] == "audio/clip 005.wav"
    assert data.labels("n_samples")[5] == 64005


def test_wrong_requests_name_what_there_is(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "out")
    with pytest.raises(ShardError, match="no transform named 'logmel'; there are mel"):
        ShardDataset(folder, "logmel")
    with pytest.raises(ShardError, match="no label named 'chord'; there are root, octave, loudness, id, path"):
        ShardDataset(folder, "mel").labels("chord")
    (folder / "index.json").unlink()
    with pytest.raises(ShardError, match=r"no index.json: its conversion did not finish; run the same command"):
        ShardDataset(folder, "mel")
    with pytest.raises(ShardError, match="is not a folder"):
        ShardDataset(folder / "none", "mel")


def test_another_shard_than_the_index_says_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "out")
    write_shard(folder, 0, range(3))
    with pytest.raises(ShardError, match=r"has 3 clips in \d+ bytes, its index says 4"):
        ShardDataset(folder, "mel")[0]


@pytest.mark.parametrize("dtype", ["float16", "complex64"])
def test_types(tmp_path: Path, dtype: str) -> None:
    spec = make_spec(dtype=dtype)
    values = make_values(0, 5).astype(dtype) * (1 - 2j if dtype == "complex64" else 1)
    with open_writer(tmp_path / "shard-00000.h5", spec) as writer:
        writer.append([make_row(0)], {"mel": [values]})
        entry = writer.close()
    write_index(
        tmp_path, dataset="", audio=tmp_path, config_yaml=CONFIG, specs=[spec], label_fields=LABELS, has_notes=True,
        shards=[entry],
    )  # fmt: skip
    specgram, _ = ShardDataset(tmp_path, "mel")[0]
    assert specgram.dtype == (torch.complex64 if dtype == "complex64" else torch.float32)
    np.testing.assert_array_equal(specgram.numpy(), values)


def test_nothing_is_opened_before_it_is_asked_for_and_never_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "_OPEN_FILES", 3)
    folder = write_many(tmp_path / "out", n_shards=8, clips=2)
    data = ShardDataset(folder, "mel")
    assert open_files(folder) == 0
    for i in torch.randperm(16).tolist() * 3:
        np.testing.assert_array_equal(data[i][0].numpy(), make_values(i, 5))
        assert open_files(folder) <= 3
    data.labels("root")
    assert open_files(folder) == 3
    copy = pickle.loads(pickle.dumps(data))
    assert open_files(folder) == 3
    np.testing.assert_array_equal(copy[5][0].numpy(), make_values(5, 5))
    del data, copy
    gc.collect()
    assert open_files(folder) == 0


def test_a_sample_is_the_readers_own(tmp_path: Path) -> None:
    data = ShardDataset(write_folder(tmp_path / "out"), "mel")
    specgram, labels = data[2]
    specgram.zero_()
    labels["notes"]["pitch"] = 0
    np.testing.assert_array_equal(data[2][0].numpy(), make_values(2, 5))
    assert data[2][1]["notes"]["pitch"].tolist() == [62, 62]


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_of_a_loader_read_every_clip(tmp_path: Path, context: str) -> None:
    folder = write_many(tmp_path / "out", n_shards=6, clips=10)
    data = ShardDataset(folder, "mel")
    data.__getitems__(range(60))  # files open in the parent, whose handles a forked worker must not use
    assert open_files(folder) == 6
    order = torch.randperm(60).tolist() * 4
    loader = DataLoader(
        data, batch_size=7, sampler=order, num_workers=2, multiprocessing_context=context, collate_fn=collate
    )
    seen = []
    for specgrams, labels in loader:
        for specgram, name in zip(specgrams, labels["id"], strict=True):
            seen.append(int(name.removeprefix("clip ")))
            np.testing.assert_array_equal(specgram.numpy(), make_values(seen[-1], 5))
            for i in range(seen[-1] % 10, 60, 10):
                np.testing.assert_array_equal(data[i][0].numpy(), make_values(i, 5))
    assert seen == order


def test_a_forked_process_does_not_move_in_the_files_of_its_parent(tmp_path: Path) -> None:
    folder = write_many(tmp_path / "out", n_shards=1, clips=10)
    data = ShardDataset(folder, "mel")
    data[0]
    (descriptor,) = shard_descriptors(folder)
    position = os.lseek(descriptor, 0, os.SEEK_CUR)
    child = os.fork()
    if child == 0:
        os._exit(int(not np.array_equal(data[9][0].numpy(), make_values(9, 5))))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert os.lseek(descriptor, 0, os.SEEK_CUR) == position
    data[9]
    assert os.lseek(descriptor, 0, os.SEEK_CUR) != position


def test_threads_share_a_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_OPEN_FILES", 2)
    data = ShardDataset(write_many(tmp_path / "out", n_shards=5, clips=4), "mel")
    wrong: list[object] = []

    def read(seed: int) -> None:
        try:
            for i in np.random.default_rng(seed).integers(0, 20, 25):
                np.testing.assert_array_equal(data[int(i)][0].numpy(), make_values(int(i), 5))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_collate_stacks_what_can_be_stacked(tmp_path: Path) -> None:
    fixed = ShardDataset(write_folder(tmp_path / "fixed"), "mel")
    specgrams, labels = collate([fixed[i] for i in range(3)])
    assert isinstance(specgrams, torch.Tensor)
    assert specgrams.shape == (3, 6, 5)
    assert labels["id"] == ["clip 000", "clip 001", "clip 002"]
    assert labels["octave"].tolist() == [0, 1, 2]
    assert labels["octave"].dtype == torch.int64
    assert labels["loudness"].dtype == torch.float64
    assert [len(notes) for notes in labels["notes"]] == [0, 1, 2]
    ragged = ShardDataset(write_folder(tmp_path / "ragged", ragged=True), "mel")
    specgrams, _ = collate([ragged[i] for i in range(3)])
    assert [specgram.shape for specgram in specgrams] == [(6, 1), (6, 2), (6, 3)]


def test_without_notes_torchs_own_collate_does(tmp_path: Path) -> None:
    shard = tmp_path / "shard-00000.h5"
    with open_writer(shard, label_fields={"root": str, "octave": int}, has_notes=False) as writer:
        rows = [make_row(i) for i in range(4)]
        rows = [type(row)(row.id, row.path, 1, 1, {"root": "Cn", "octave": 3}) for row in rows]
        writer.append(rows, {"mel": np.zeros((4, 6, 5), np.float32)})
        entry = writer.close()
    write_index(
        tmp_path, dataset="", audio=tmp_path, config_yaml=CONFIG, specs=[make_spec()],
        label_fields={"root": str, "octave": int}, has_notes=False, shards=[entry],
    )  # fmt: skip
    data = ShardDataset(tmp_path, "mel")
    ((specgrams, labels),) = list(DataLoader(data, batch_size=4))
    expected, columns = default_collate([data[i] for i in range(4)])
    assert torch.equal(specgrams, expected)
    assert labels["octave"].tolist() == columns["octave"].tolist() == [3] * 4
    assert "notes" not in labels


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_a_relative_folder_stays_the_folder_that_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: str
) -> None:
    write_folder(tmp_path / "shards")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    data = ShardDataset("shards", "mel")
    monkeypatch.chdir(tmp_path / "other")
    assert list(data.labels("octave")) == [i % 3 for i in range(7)]
    assert len(data.center_frequencies) == 6
    loader = DataLoader(data, batch_size=7, num_workers=1, collate_fn=collate, multiprocessing_context=context)
    (specgrams, _) = next(iter(loader))
    for i in range(7):
        assert np.array_equal(specgrams[i], make_values(i, 5))
