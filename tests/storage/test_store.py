"""What every store must do, and a folder of shards in each: written, indexed, read and verified."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from memory_store import MemoryStore

from specconv.errors import OutputError, ShardError
from specconv.shards import (
    ClipRow,
    FailedClip,
    ShardDataset,
    SpecgramSpec,
    Unfinished,
    create_shard,
    read_entry,
    read_index,
    remaining,
    remove_index,
    remove_unfinished,
    shard_name,
    summary,
    verify,
    write_index,
    write_ledger,
    write_unfinished,
)
from specconv.storage import FolderStore, Store, open_store

SPEC = SpecgramSpec("mel", 6, "float32", ("frequency", "time"), 16000.0, 512, "dB", "{}", np.linspace(0, 8000, 6), 5)


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return FolderStore(tmp_path) if request.param == "folder" else MemoryStore()


def values(clip: int) -> np.ndarray:
    return np.random.default_rng(clip).standard_normal((6, 5)).astype(np.float32)


def write_shards(store: Store) -> None:
    """Two shards of two clips, and their index."""
    entries = []
    for number in range(2):
        rows = [ClipRow(f"clip {i}", f"{i}.wav", 16000, 64000, {"root": "C"}) for i in (2 * number, 2 * number + 1)]
        with create_shard(
            store,
            shard_name(number),
            [SPEC],
            label_fields={"root": str},
            has_notes=False,
            config_yaml="transforms: []\n",
            fingerprint="0f",
        ) as writer:
            writer.append(rows, {"mel": np.stack([values(2 * number), values(2 * number + 1)])})
            assert shard_name(number) not in store.names()
            entries.append(writer.close())
    write_index(
        store,
        dataset="folder",
        audio=Path("audio"),
        config_yaml="transforms: []\n",
        specs=[SPEC],
        label_fields={"root": str},
        has_notes=False,
        shards=entries,
    )


def test_objects_are_put_read_listed_and_deleted(store: Store) -> None:
    assert isinstance(store, Store)
    assert open_store(store) is store
    store.put("b", b"old")
    store.put("b", b"content")
    store.put("a", b"")
    assert store.names() == ["a", "b"]
    assert (store.size("a"), store.size("b")) == (0, 7)
    file = store.open("b")
    assert file.seek(3) == 3
    assert file.read(2) == b"te"
    assert file.readinto(memoryview(bytearray(9))) == 2
    file.close()
    for name in ("a", "a"):
        store.delete(name)
    assert store.names() == ["b"]
    for reads in (store.size, store.open):
        with pytest.raises(FileNotFoundError):
            reads("a")


def test_a_new_object_is_absent_before_it_is_whole(store: Store) -> None:
    for commit in (False, True):
        new = store.create("object")
        new.file.write(b"content")
        with pytest.raises(FileNotFoundError):
            store.size("object")
        if commit:
            new.commit()
        new.discard()
    assert store.names() == ["object"]
    assert store.open("object").read() == b"content"
    assert isinstance(new.error(OSError(errno.ENOSPC, "full")), OutputError)


def test_a_lock_excludes_its_own_parts(store: Store) -> None:
    assert store.writers() == {}
    with store.lock("convert-1-of-2"), store.lock("convert-2-of-2"):
        assert {name: owner.pid for name, owner in store.writers().items()} == {
            "convert-1-of-2": os.getpid(),
            "convert-2-of-2": os.getpid(),
        }
        for name in ("convert", "convert-1-of-2"):
            with pytest.raises(OutputError, match="is writing here"), store.lock(name):
                pass
    with store.lock("convert"):
        pass
    assert store.names() == []


def test_shards_are_written_indexed_read_and_verified(store: Store) -> None:
    with store.lock("convert"):
        write_unfinished(store, Unfinished(2, 1, "audio", "folder", None))
        assert remaining(store).missing == (0, 1)
        write_shards(store)
        write_ledger(store, {shard_name(0): [FailedClip("bad.wav", "open", "no audio")]})
        remove_unfinished(store)
    assert store.names() == ["errors.jsonl", "index.json", "shard-00000.h5", "shard-00001.h5"]
    index = read_index(store)
    assert index is not None
    assert index.shards == [read_entry(store, shard_name(number)) for number in range(2)]
    assert verify(store).faults == ()
    assert summary(store).clips == 4
    data = ShardDataset(store, "mel")
    assert [labels["id"] for _, labels in (data[i] for i in range(4))] == [f"clip {i}" for i in range(4)]
    for i in range(4):
        np.testing.assert_array_equal(data[i][0], values(i))


def test_damage_is_found_in_any_store(store: Store) -> None:
    write_shards(store)
    content = bytearray(store.open("shard-00001.h5").read() or b"")
    content[len(content) // 2] ^= 1
    store.put("shard-00001.h5", bytes(content))
    store.delete("shard-00000.h5")
    assert {fault.key for fault in verify(store).faults} == {"shard-00000.h5", "shard-00001.h5"}
    store.put("index.json", b"{")
    with pytest.raises(ShardError, match="damaged"):
        read_index(store)
    remove_index(store)
    assert read_index(store) is None


def test_a_shard_that_is_not_finished_leaves_nothing(store: Store) -> None:
    with create_shard(
        store, shard_name(0), [SPEC], label_fields={}, has_notes=False, config_yaml="", fingerprint=""
    ) as writer:
        writer.append([ClipRow("a", "a.wav", 16000, 1, {})], {"mel": values(0)[None]})
    assert store.names() == []
