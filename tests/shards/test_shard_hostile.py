"""Shards that somebody made to harm: every door says what is wrong, and touches nothing outside the folder."""

from __future__ import annotations

import fcntl
import os
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from opened_files import Watch
from shard_makers import CONFIG, LABELS, make_spec, write_folder, write_shard

from specconv.errors import ShardError
from specconv.shards import ShardDataset, open_shard, read_entry, read_index, summary, verify, write_index
from specconv.shards.layout import STORED_NOTE
from specconv.storage import FolderStore

Craft = Callable[[h5py.File, Path], None]


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[tuple[Path, Watch]]:
    """A file that must not be read: a true shard beside the folder."""
    folder = tmp_path / "outside"
    folder.mkdir()
    write_shard(folder, 0, range(4))
    (folder / "raw").write_bytes(bytes(10**5))
    watch = Watch(folder)
    yield folder / "shard-00000.h5", watch
    watch.close()


def instead(key: str, make: Callable[[h5py.Group, str, h5py.File, Path], None]) -> Craft:
    """Replaces the object at ``key``."""

    def craft(file: h5py.File, outside: Path) -> None:
        parent, _, name = key.rpartition("/")
        del file[key]
        make(file[parent or "/"], name, file, outside)

    return craft


def dataset(key: str, data: Any = None, **options: Any) -> Craft:
    return instead(key, lambda parent, name, _file, _outside: parent.create_dataset(name, data=data, **options))


def attribute(key: str, name: str, value: Any) -> Craft:
    def craft(file: h5py.File, _outside: Path) -> None:
        del file[key].attrs[name]
        if value is not None:
            file[key].attrs[name] = value

    return craft


def list_attribute(file: h5py.File, _outside: Path) -> None:
    """Of a string libhdf5 would take the first letters for an address."""
    del file.attrs["config"]
    lists = h5py.h5a.create(file.id, b"config", h5py.h5t.vlen_create(h5py.h5t.C_S1), h5py.h5s.create(h5py.h5s.SCALAR))
    assert lists.get_storage_size() == 16


def external_link(key: str) -> Craft:
    def make(parent: h5py.Group, name: str, _file: h5py.File, outside: Path) -> None:
        parent[name] = h5py.ExternalLink(outside, key)

    return instead(key, make)


def soft_link(key: str) -> Craft:
    def make(parent: h5py.Group, name: str, file: h5py.File, outside: Path) -> None:
        file.copy(h5py.File(outside)[key], "/hidden")
        parent[name] = h5py.SoftLink("/hidden")

    return instead(key, make)


def virtual(key: str, *, unlimited: bool = False) -> Craft:
    def make(parent: h5py.Group, name: str, _file: h5py.File, outside: Path) -> None:
        with h5py.File(outside) as file:
            source = h5py.VirtualSource(file[key])
        most = (None, *source.shape[1:]) if unlimited else None
        layout = h5py.VirtualLayout(source.shape, source.dtype, maxshape=most)
        if unlimited:
            source = h5py.VirtualSource(outside, key, shape=source.shape, dtype=source.dtype, maxshape=most)
            layout[0 : h5py.h5s.UNLIMITED] = source[0 : h5py.h5s.UNLIMITED]
        else:
            layout[:] = source
        parent.create_virtual_dataset(name, layout)

    return instead(key, make)


def external_storage(key: str) -> Craft:
    def make(parent: h5py.Group, name: str, _file: h5py.File, outside: Path) -> None:
        with h5py.File(outside) as file:
            shape, dtype = file[key].shape, file[key].dtype
        raw = [(outside.with_name("raw"), 0, h5py.h5f.UNLIMITED)]
        parent.create_dataset(name, shape, dtype, external=raw)

    return instead(key, make)


def version(number: Any) -> Craft:
    return attribute("/", "format_version", number)


def make_arrays(parent: h5py.Group, name: str, _file: h5py.File, _outside: Path) -> None:
    parent.create_dataset(name, shape=(4,), dtype=h5py.vlen_dtype(np.int64))[:] = np.zeros((4, 2), np.int64)


STRING = h5py.string_dtype()
NOTES = np.zeros(2, STORED_NOTE)
TINY = np.zeros(4, np.int64)
EVERYWHERE = (
    "clips",
    "clips/id",
    "labels",
    "labels/root",
    "labels/notes",
    "specgrams",
    "specgrams/mel",
    "specgrams/mel/values",
)
DATASETS = ("clips/id", "clips/n_samples", "labels/octave", "labels/notes", "specgrams/mel/values")

CRAFTED: dict[str, tuple[str, Craft]] = {
    **{f"external link {key}": (f"/{key}: a link to another place", external_link(key)) for key in EVERYWHERE},
    **{f"soft link {key}": (f"/{key}: a link to another place", soft_link(key)) for key in EVERYWHERE},
    **{f"virtual {key}": (f"/{key}: its values are in other files", virtual(key)) for key in DATASETS[1:]},
    "virtual unlimited": (
        "/specgrams/mel/values: its values are in other files",
        virtual("specgrams/mel/values", unlimited=True),
    ),
    **{
        f"external storage {key}": (f"/{key}: its values are in other files", external_storage(key))
        for key in DATASETS[1:]
    },
    **{
        f"a group for {key}": (f"/{key}: a Group, not a Dataset", instead(key, lambda p, n, *_: p.create_group(n)))
        for key in DATASETS
    },
    **{f"a dataset for {key}": (f"/{key}: a Dataset, not a Group", dataset(key, TINY)) for key in ("clips", "labels")},
    "a type for a dataset": (
        "/clips/id: a Datatype",
        instead("clips/id", lambda p, n, *_: p.__setitem__(n, np.dtype(np.int64))),
    ),
    **{f"without {key}": (f"/{key}: missing", instead(key, lambda *_: None)) for key in EVERYWHERE if "s/" not in key},
    "without values": ("/specgrams/mel/values: missing", instead("specgrams/mel/values", lambda *_: None)),
    "huge column": (
        "/clips/id: shape (1000000000000,), but only 0 bytes",
        dataset("clips/id", shape=(10**12,), dtype=STRING, chunks=(100,)),
    ),
    "huge contiguous label": ("/labels/octave: ", dataset("labels/octave", shape=(10**12,), dtype="i8")),
    "huge filled values": (
        "/specgrams/mel/values: shape (1000000000, 64, 126), but only 0 bytes",
        dataset("specgrams/mel/values", shape=(10**9, 64, 126), dtype="f4", chunks=(1, 64, 126), fillvalue=1.0),
    ),
    "huge filled and compressed": (
        "/specgrams/mel/values: shape (4, 100000, 100000), but only 0 bytes",
        dataset("specgrams/mel/values", shape=(4, 10**5, 10**5), dtype="f4", chunks=(1, 10, 10**5), compression="gzip"),
    ),
    "huge notes": ("/labels/notes: ", dataset("labels/notes", shape=(10**11,), dtype=STORED_NOTE, chunks=(10,))),
    "compressed column": (
        "/labels/octave: compressed",
        dataset("labels/octave", TINY, compression="gzip", chunks=(4,)),
    ),
    "another filter": (
        "/specgrams/mel/values: filters [3], which a shard does not use",
        dataset("specgrams/mel/values", np.zeros((4, 6, 5), "f4"), chunks=(1, 6, 5), fletcher32=True),
    ),
    "two compressions": (
        "/specgrams/mel/values: filters [6, 1]",
        dataset("specgrams/mel/values", np.zeros((4, 6, 5), "i4"), chunks=(1, 6, 5), scaleoffset=0, compression="gzip"),
    ),
    "another chunk": (
        "/specgrams/mel/values: chunks of (4, 6, 5), not (1, 6, 5)",
        dataset("specgrams/mel/values", np.zeros((4, 6, 5), "f4"), chunks=(4, 6, 5)),
    ),
    "no chunk": ("/specgrams/mel/values: chunks of None", dataset("specgrams/mel/values", np.zeros((4, 6, 5), "f4"))),
    "values of float64": (
        "/specgrams/mel/values: type float64",
        dataset("specgrams/mel/values", np.zeros((4, 6, 5)), chunks=(1, 6, 5)),
    ),
    "values of the other byte order": (
        "/specgrams/mel/values: type >f4",
        dataset("specgrams/mel/values", np.zeros((4, 6, 5), ">f4"), chunks=(1, 6, 5)),
    ),
    "values of one clip less": (
        "/specgrams/mel/values: shape (3, 6, 5), not that of 4 clips",
        dataset("specgrams/mel/values", np.zeros((3, 6, 5), "f4"), chunks=(1, 6, 5)),
    ),
    "values without bins": (
        "/specgrams/mel/values: shape (4,), not that of 4 clips",
        dataset("specgrams/mel/values", np.zeros(4, "f4"), chunks=(1,)),
    ),
    "values of one number": (
        "/specgrams/mel/values: shape (), not that of 4 clips",
        dataset("specgrams/mel/values", np.float32(1)),
    ),
    "values without a space": (
        "/specgrams/mel/values: cannot be read",
        dataset("specgrams/mel/values", h5py.Empty("f4")),
    ),
    "values not finite": (
        "/specgrams/mel/values: not finite",
        dataset("specgrams/mel/values", np.full((4, 6, 5), np.nan, "f4"), chunks=(1, 6, 5)),
    ),
    "a row less": ("/labels/octave: 3 rows, not 4", dataset("labels/octave", TINY[:3])),
    "a column of two dimensions": ("/labels/octave: 2 dimensions, not 1", dataset("labels/octave", TINY[None])),
    "a column of int32": ("/labels/octave: type int32", dataset("labels/octave", TINY.astype("i4"))),
    "a column of fixed strings": ("/labels/root: type |S2", dataset("labels/root", np.full(4, b"Cn"))),
    "a column of references": (
        "/labels/root: type object",
        instead("labels/root", lambda p, n, f, _: p.create_dataset(n, data=[f.ref] * 4, dtype=h5py.ref_dtype)),
    ),
    "a column of arrays": (
        "/labels/root: type object",
        instead("labels/root", make_arrays),
    ),
    "numbers for names": ("/clips/id: type int64, not str", dataset("clips/id", TINY)),
    "notes of other fields": ("/labels/notes: fields", dataset("labels/notes", NOTES[["clip", "pitch"]])),
    "notes that are numbers": ("/labels/notes: fields int64", dataset("labels/notes", TINY)),
    "notes of other types": (
        "/labels/notes: fields",
        dataset("labels/notes", NOTES.astype([(name, "f8") for name in STORED_NOTE.names or ()])),
    ),
    "notes of no clip": (
        "/labels/notes: clip is not one of 4 rows, in order",
        dataset("labels/notes", np.array([(4, 0, 0, 0, 0, 0)], STORED_NOTE)),
    ),
    "notes in disorder": (
        "/labels/notes: clip is not one of 4 rows, in order",
        dataset("labels/notes", np.array([(1, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0)], STORED_NOTE)),
    ),
    "another format": ("/@format: 'zarr', not 'specconv-shard'", attribute("/", "format", "zarr")),
    "no format": ("/@format: missing", attribute("/", "format", None)),
    "a format of bytes": ("/@format: ndarray, not str", attribute("/", "format", np.zeros(3))),
    "a newer version": ("/@format_version: 2, but 1 is known; it was made by a newer specconv: upgrade", version(2)),
    "version 0": ("/@format_version: 0", version(0)),
    "version as text": ("/@format_version: str, not int", version("1")),
    "not complete": ("/@complete: false: its writing was not finished", attribute("/", "complete", False)),
    "no config": ("/@config: missing", attribute("/", "config", None)),
    "a config of a list": ("/@config: object, not str", list_attribute),
    "a config of numbers": ("/@config: ndarray, not str", attribute("/", "config", np.zeros(10))),
    "failures not JSON": ("/@failures: not a JSON list", attribute("/", "failures", "[{]")),
    "failures of another kind": ("/@failures: not a JSON list", attribute("/", "failures", "[1]")),
    "failures too deep": ("/@failures: not a JSON list", attribute("/", "failures", "[" * 10**5)),
    "axes": ("/specgrams/mel/@axes: not two names", attribute("specgrams/mel", "axes", ["time"])),
    "hop_length": ("/specgrams/mel/@hop_length: float, not int", attribute("specgrams/mel", "hop_length", 1.5)),
    "units": ("/specgrams/mel/@units: missing", attribute("specgrams/mel", "units", None)),
    "center_frequencies": (
        "/specgrams/mel/@center_frequencies: not 6 values of float64",
        attribute("specgrams/mel", "center_frequencies", np.zeros(7)),
    ),
}

RAGGED: dict[str, tuple[str, Craft]] = {
    "falling": ("never falling", dataset("specgrams/mel/offsets", np.array([0, 1, 6, 3, 10]))),
    "not from 0": ("from 0", dataset("specgrams/mel/offsets", np.array([1, 2, 3, 6, 10]))),
    "empty": ("from 0", dataset("specgrams/mel/offsets", np.zeros(0, np.int64))),
    "too far": ("10 frames, but offsets end at 11", dataset("specgrams/mel/offsets", np.array([0, 1, 3, 6, 11]))),
    "of three clips": ("not that of 4 clips", dataset("specgrams/mel/offsets", np.array([0, 1, 3, 10]))),
    "floats": ("type float64, not int64", dataset("specgrams/mel/offsets", np.array([0, 1, 3, 6, 10.0]))),
    "huge": ("bytes of it are stored", dataset("specgrams/mel/offsets", shape=(10**12,), dtype="i8", chunks=(9,))),
    "elsewhere": ("a link to another place", external_link("specgrams/mel/offsets")),
    "without": ("shape (6, 10), not that of 4 clips", instead("specgrams/mel/offsets", lambda *_: None)),
}


def index_anew(folder: Path) -> None:
    """An index that agrees with whatever the shards are: whoever crafts a shard can craft that too."""
    index = read_index(folder)
    assert index is not None
    for entry in index.shards:
        path = folder / entry.name
        forged = replace(
            entry, size=path.stat().st_size, sha256=__import__("hashlib").sha256(path.read_bytes()).hexdigest()
        )
        text = (folder / "index.json").read_text()
        text = text.replace(entry.sha256, forged.sha256).replace(f'"size": {entry.size}', f'"size": {forged.size}')
        FolderStore(folder).put("index.json", text.encode())


def error_of(call: Callable[[], object]) -> str | None:
    try:
        call()
    except ShardError as error:
        return str(error)
    return None


def check_every_door(folder: Path, message: str) -> None:
    """verify without index and with, reader and summary: each says ``message`` of the first shard, or needs it not."""
    (folder / "index.json").rename(folder.parent / "index.json")
    faults = [str(fault) for fault in verify(folder).faults if fault.key == "shard-00000.h5"]
    assert any(f"shard-00000.h5: {message}" in fault for fault in faults), faults
    (folder.parent / "index.json").rename(folder / "index.json")
    index_anew(folder)
    faults = [str(fault) for fault in verify(folder).faults]
    assert any(f"shard-00000.h5: {message}" in fault for fault in faults), faults
    doors: list[Callable[[], object]] = [
        lambda: summary(folder),
        lambda: [ShardDataset(folder, "mel")[i] for i in range(4)],
        lambda: [ShardDataset(folder, "mel").labels(field) for field in ("id", "octave", "root")],
        lambda: ShardDataset(folder, "mel").center_frequencies,
    ]
    for door in doors:
        fault = error_of(door)
        assert fault is None or f"{folder / 'shard-00000.h5'}: " in fault


@pytest.mark.parametrize("ragged", [False, True])
def test_a_sound_folder_passes_every_door(tmp_path: Path, ragged: bool) -> None:
    folder = write_folder(tmp_path / "out", ragged=ragged)
    assert verify(folder).faults == ()
    index_anew(folder)
    assert verify(folder).faults == ()


def test_the_watch_sees_what_plain_h5py_does_with_a_link(tmp_path: Path, outside: tuple[Path, Watch]) -> None:
    path, watch = outside
    with h5py.File(tmp_path / "crafted.h5", "w") as file:
        file["elsewhere"] = h5py.ExternalLink(path, "clips")
        assert not watch.opened()
        assert len(file["elsewhere"]) == 4
    assert watch.opened()


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted(name: str, tmp_path: Path, outside: tuple[Path, Watch]) -> None:
    folder = write_folder(tmp_path / "out")
    message, craft = CRAFTED[name]
    _craft_and_check(folder, message, craft, outside)


@pytest.mark.parametrize("name", RAGGED)
def test_crafted_offsets(name: str, tmp_path: Path, outside: tuple[Path, Watch]) -> None:
    folder = write_folder(tmp_path / "out", ragged=True)
    message, craft = RAGGED[name]
    key = (
        "/specgrams/mel/values: "
        if "not that of" in message or "offsets end" in message
        else "/specgrams/mel/offsets: "
    )
    with h5py.File(outside[0], "r+") as file:
        file["specgrams/mel/offsets"] = np.array([0, 1, 3, 6, 10])
    _craft_and_check(folder, key, craft, outside)


@pytest.mark.parametrize("name", [name for name in CRAFTED if "huge" in name])
def test_crafted_shapes_ask_for_no_memory(name: str, tmp_path: Path, outside: tuple[Path, Watch]) -> None:
    tracemalloc.start()
    test_crafted(name, tmp_path, outside)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


def _craft_and_check(folder: Path, message: str, craft: Craft, outside: tuple[Path, Watch]) -> None:
    path, watch = outside
    with h5py.File(folder / "shard-00000.h5", "r+") as file:
        craft(file, path)
    while watch.opened():
        pass
    check_every_door(folder, message)
    assert not watch.opened()


def test_what_is_no_hdf5_is_said(tmp_path: Path) -> None:
    whole = (write_folder(tmp_path / "whole") / "shard-00000.h5").read_bytes()
    contents = {
        "empty": b"",
        "text": b"hello\n" * 100,
        "wav": b"RIFF\0\0\0\0WAVEfmt ",
        "truncated": whole[:-1],
        "half": whole[: len(whole) // 2],
        "head": whole[:64],
        "signature": whole[:8],
        "zeros": bytes(len(whole)),
    }
    for name, content in contents.items():
        folder = tmp_path / name
        write_folder(folder)
        (folder / "shard-00000.h5").write_bytes(content)
        with pytest.raises(ShardError, match=r"shard-00000\.h5: cannot be opened: .*restore it, or convert again"):
            open_shard(folder, "shard-00000.h5")
        check_every_door(folder, "cannot be opened: ")


def test_only_ordinary_files_of_the_folder_are_opened(tmp_path: Path, outside: tuple[Path, Watch]) -> None:
    shard, watch = outside
    path = tmp_path / "out" / "shard-00000.h5"

    def pipe() -> None:
        os.mkfifo(path)

    makers: dict[str, Callable[[], object]] = {
        "is not a regular file": pipe,
        "is a link to": lambda: path.symlink_to(shard),
        "cannot be read: No such file": lambda: path.symlink_to("nowhere"),
        "a loop of links|Too many levels": lambda: path.symlink_to(path.name),
        "is not a regular": path.mkdir,
    }
    for message, make in makers.items():
        folder = write_folder(tmp_path / "out")
        path.unlink()
        make()
        with pytest.raises(ShardError, match=message):
            open_shard(path.parent, path.name)
        with pytest.raises(ShardError, match=message):
            summary(folder)
        with pytest.raises(ShardError, match=message):
            ShardDataset(folder, "mel")[0]
        assert any(fault.key == path.name for fault in verify(folder).faults)
        __import__("shutil").rmtree(folder)
    assert not watch.opened()


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "out")
    (folder / "shard-00000.h5").rename(folder / "first.h5")
    (folder / "shard-00000.h5").symlink_to("first.h5")
    assert verify(folder).faults == ()
    assert ShardDataset(folder, "mel")[0][1]["id"] == "clip 000"


def test_an_index_cannot_name_files_elsewhere(tmp_path: Path, outside: tuple[Path, Watch]) -> None:
    folder = write_folder(tmp_path / "out")
    text = (folder / "index.json").read_text()
    for name in (
        "../outside/shard-00000.h5",
        "/etc/passwd",
        "shard-00000.h5/../x",
        "SHARD-00000.h5",
        "shard-00000.h5\\n",
    ):
        (folder / "index.json").write_text(text.replace("shard-00000.h5", name))
        with pytest.raises(ShardError, match="no shard of this folder"):
            read_index(folder)
        with pytest.raises(ShardError, match="no shard of this folder"):
            ShardDataset(folder, "mel")
    assert not outside[1].opened()


def test_a_missing_zstd_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_folder(tmp_path / "out", compression="zstd")
    assert ShardDataset(folder, "mel")[0][1]["id"] == "clip 000"
    monkeypatch.setitem(__import__("sys").modules, "hdf5plugin", None)
    with pytest.raises(ShardError, match="/specgrams/mel/values: compressed by zstd; pip install hdf5plugin"):
        ShardDataset(folder, "mel")[0]


def test_silence_compresses_further_than_anything_and_still_opens(tmp_path: Path) -> None:
    from shard_makers import make_row, open_writer

    for compression in ("gzip", "lzf", "zstd"):
        path = tmp_path / f"{compression}.h5"
        with open_writer(path, make_spec(n_bins=512, n_frames=2048), compression=compression) as writer:
            writer.append([make_row(0)], {"mel": np.zeros((1, 512, 2048), np.float32)})
            writer.close()
        with open_shard(path.parent, path.name) as shard:
            assert not shard.specgrams("mel").read(0).any()


def test_no_file_lock_is_asked_for(tmp_path: Path) -> None:
    """Network file systems may refuse them, or another reader hold one."""
    entry = write_shard(tmp_path, 0, range(4))
    with (tmp_path / entry.name).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="unable to lock file"):
            h5py.File(tmp_path / entry.name, "r", locking=True)
        assert read_entry(tmp_path, entry.name) == entry


def test_collections_of_strings_that_lead_nowhere(tmp_path: Path) -> None:
    """libhdf5 2.0 would walk them for ever."""
    entry = write_shard(tmp_path, 0, range(4))
    path = tmp_path / entry.name
    whole = path.read_bytes()
    start = whole.index(b"GCOL")
    place = start + 16
    while (number := int.from_bytes(whole[place : place + 2], "little")) != 0:
        place += 16 + (int.from_bytes(whole[place + 8 : place + 16], "little") + 7) // 8 * 8
    assert number == 0  # its free space, whose size comes next
    for at, wrong in ((place + 8, 0), (place + 8, 2**63), (start + 8, 8), (start + 8, 2**62)):
        path.write_bytes(whole[:at] + wrong.to_bytes(8, "little") + whole[at + 8 :])
        with pytest.raises(ShardError, match=f"the collection of strings at byte {start}"):
            open_shard(path.parent, path.name)


def test_a_table_of_chunks_that_nobody_could_count(tmp_path: Path) -> None:
    """libhdf5 2.0 would try to."""
    folder = write_folder(tmp_path / "out")
    path = folder / "shard-00000.h5"
    whole = path.read_bytes()
    start = whole.index(b"EAHD")
    for at in (start + 12, start + 44, start + 52):
        path.write_bytes(whole[:at] + (2**40).to_bytes(8, "little") + whole[at + 8 :])
        check_every_door(folder, "/specgrams/mel/values: cannot be read, the file is damaged (the table of chunks at")


def test_strings_that_say_they_are_longer_than_the_file(tmp_path: Path) -> None:
    """libhdf5 would ask for 4 GiB."""
    folder = write_folder(tmp_path / "out")
    path = folder / "shard-00000.h5"
    with h5py.File(path) as file:
        offset = file["labels/root"].id.get_offset()
    whole = path.read_bytes()
    assert whole[offset : offset + 4] == b"\2\0\0\0"
    for at in (offset, offset + 3 * 16):
        path.write_bytes(whole[: at + 3] + b"\xff" + whole[at + 4 :])
        check_every_door(folder, "/labels/root: its strings are longer than the file")


def test_another_kind_of_hdf5_is_refused(tmp_path: Path) -> None:
    """The oldest has no checksums to tell damage by."""
    path = tmp_path / "shard-00000.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        file.attrs["format"] = "specconv-shard"
    with pytest.raises(ShardError, match="cannot be opened: it is HDF5, but not as specconv writes it"):
        open_shard(path.parent, path.name)


def test_a_folder_made_by_hand(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(ShardError, match="holds no shards"):
        summary(folder)
    with pytest.raises(ShardError, match="is not a folder"):
        verify(folder / "none")
    write_index(
        folder,
        dataset="folder",
        audio=tmp_path,
        config_yaml=CONFIG,
        specs=[make_spec()],
        label_fields=LABELS,
        has_notes=False,
        shards=[],
    )
    assert len(ShardDataset(folder, "mel")) == 0
    assert ShardDataset(folder, "mel").labels("id").shape == (0,)
    assert verify(folder).faults == ()
