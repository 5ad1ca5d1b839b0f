"""Damaged and crafted shards, from the commands' end: a sentence, exit status 1, nothing read outside the folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import pytest
from hostile_files import wav
from opened_files import Watch
from typer.testing import CliRunner, Result

import specconv
from specconv.cli.app import app
from specconv.errors import ShardError
from specconv.shards import ShardDataset

pytestmark = pytest.mark.usefixtures("never_hangs")

VALUES = "specgrams/mel/values"
JOB: Mapping[str, Any] = {
    "audio": {"sample_rate": 16000, "duration": 0.5},
    "transforms": [{"type": "mel", "n_fft": 512, "n_mels": 16}],
    "shards": {"clips": 2},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips in two shards. Read it, never write into it."""
    root = tmp_path_factory.mktemp("whole")
    for i in range(4):
        wav(root / "audio" / f"{i}.wav", 8000)
    specconv.convert(root / "audio", JOB, root / "out")
    return root / "out"


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def outside(whole: Path, tmp_path: Path) -> Iterator[tuple[Path, Watch]]:
    """A true shard beside the folder, which nobody may open."""
    (tmp_path / "outside").mkdir()
    shutil.copy(whole / "shard-00000.h5", tmp_path / "outside" / "other.h5")
    watch = Watch(tmp_path / "outside")
    yield tmp_path / "outside" / "other.h5", watch
    watch.close()


Damage = Callable[[Path, Path], object]


def content(change: Callable[[bytes], bytes]) -> Damage:
    return lambda path, _: path.write_bytes(change(path.read_bytes()))


def crafted(change: Callable[[h5py.File, Path], object]) -> Damage:
    def damage(path: Path, outside: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file, outside)

    return damage


def instead(make: Callable[[h5py.File, Path], object], key: str = VALUES) -> Damage:
    def change(file: h5py.File, outside: Path) -> None:
        del file[key]
        file[key] = make(file, outside)

    return crafted(change)


def elsewhere(make: Callable[[Path, Path], object]) -> Damage:
    def damage(path: Path, outside: Path) -> None:
        path.unlink()
        make(path, outside)

    return damage


def other_hdf5(path: Path, _: Path) -> None:
    with h5py.File(path, "w", libver="v110") as file:
        file["images"] = range(10)


def virtual(file: h5py.File, outside: Path) -> None:
    layout = h5py.VirtualLayout((2, 16, 63), "f4")
    layout[:] = h5py.VirtualSource(outside, VALUES, (2, 16, 63))
    del file[VALUES]
    file.create_virtual_dataset(VALUES, layout)


def huge(file: h5py.File, _: Path) -> None:
    del file[VALUES]
    file.create_dataset(VALUES, (10**9, 16, 10**6), "f4", chunks=(1, 16, 63))


def ring(file: h5py.File, _: Path) -> None:
    """Groups that hold themselves: who walks them walks for ever."""
    for key in ("labels", "specgrams"):
        file[f"{key}/again"] = file[key]
    file["again"] = file["/"]


DAMAGED: Mapping[str, tuple[Damage, str]] = {
    "truncated": (content(lambda whole: whole[:-100]), "cannot be opened: "),
    "empty": (content(lambda _: b""), "cannot be opened: it is not HDF5"),
    "text": (content(lambda _: b"no shard\n" * 1000), "cannot be opened: it is not HDF5"),
    "another HDF5": (elsewhere(other_hdf5), "/@format: missing"),
    "of the future": (crafted(lambda file, _: file.attrs.modify("format_version", 2)), "made by a newer specconv"),
    "an external link": (instead(lambda _, outside: h5py.ExternalLink(outside, VALUES)), "a link to another place"),
    "a soft link": (instead(lambda _, __: h5py.SoftLink("/clips/id")), "a link to another place"),
    "a virtual dataset": (crafted(virtual), "its values are in other files"),
    "a huge shape": (crafted(huge), "bytes of it are stored"),
    "groups in a ring": (crafted(ring), "/labels/again: a Group, not a Dataset"),
    "a fifo": (elsewhere(lambda path, _: os.mkfifo(path)), "is not a regular file"),
    "a folder": (elsewhere(lambda path, _: path.mkdir()), "is not a regular file"),
    "a device": (elsewhere(lambda path, _: path.symlink_to("/dev/zero")), "is not a regular file"),
    "a link outside": (elsewhere(lambda path, outside: path.symlink_to(outside)), "is a link to "),
}


def forge_index(folder: Path) -> None:
    """Make the index agree with whatever the shards are now, as whoever crafts one would."""
    index = json.loads((folder / "index.json").read_text())
    for entry in index["shards"]:
        path = folder / entry["name"]
        if path.is_file():
            entry |= {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / "index.json").write_text(json.dumps(index))


def command(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="specconv")
    assert "Traceback" not in result.output
    assert "should not happen" not in result.output
    assert "\x1b" not in result.output
    return result


def test_the_whole_folder_passes_every_command(folder: Path, tmp_path: Path) -> None:
    forge_index(folder)
    for arguments in (("verify", folder), ("info", folder), ("plot", folder, "--to", tmp_path / "picture.png")):
        assert command(*arguments).exit_code == 0
    assert len(ShardDataset(folder, "mel")) == 4


@pytest.mark.parametrize("name", DAMAGED)
def test_every_command_says_what_is_wrong(folder: Path, outside: tuple[Path, Watch], tmp_path: Path, name: str) -> None:
    damage, said = DAMAGED[name]
    shard = folder / "shard-00000.h5"
    damage(shard, outside[0])
    forge_index(folder)
    while outside[1].opened():
        pass
    checked = command("verify", folder)
    assert checked.exit_code == 1
    assert shard.name in checked.stdout
    assert said in checked.stdout
    for arguments in (("info", folder), ("plot", folder, "--to", tmp_path / "picture.png")):
        result = command(*arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"Error: {shard}")
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "picture.png").exists()
    with pytest.raises(ShardError) as raised:
        ShardDataset(folder, "mel")[0]
    assert said in str(raised.value)
    if shard.is_file() and not shard.is_symlink():
        assert said in command("info", shard).stderr
    assert not outside[1].opened()


def test_a_flipped_bit_is_found_wherever_it_is(folder: Path) -> None:
    shard = folder / "shard-00001.h5"
    whole = shard.read_bytes()
    for place in range(0, len(whole), len(whole) // 20):
        shard.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        checked = command("verify", folder)
        assert checked.exit_code == 1
        assert f"{shard.name}: its bytes have changed" in checked.stdout


def test_what_a_shard_says_cannot_move_the_cursor(folder: Path) -> None:
    with h5py.File(folder / "shard-00000.h5", "r+") as file:
        file["labels/label"][0] = "\x1b[2J\r\n"
        file["labels/\x1b[31m"] = file["labels/label"][:]
        file.attrs.modify("config", "\x1b[2J")
        file["specgrams/mel"].attrs.modify("units", "\x1b]0;title\x07")
    forge_index(folder)
    for path in (folder, folder / "shard-00000.h5"):
        assert r"\x1b]0;title\x07" in command("info", path).stdout
    assert command("verify", folder).exit_code == 1
