"""Open damaged shards for a while, each in a process that may die of it, and count how they end.

    python scripts/fuzz_shard.py --seconds 600 --keep crashes/

Small shards of each kind are damaged at random and read to the end by ``verify``, ``summary`` and ``open_shard``: as
chance does it ("damaged"), and as somebody would who wants to reach deep into libhdf5, with all checksums of HDF5's
metadata made right again ("crafted"). Good ends are a ShardError or sound values. Anything else is counted, and the
shard kept with --keep. Exit 1 if a damaged shard had another end.
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import h5py
import numpy as np

from specconv.errors import ShardError
from specconv.notes import NOTE_DTYPE
from specconv.shards import ClipRow, SpecgramSpec, create_shard, open_shard, shard_name, summary, verify

HANG_S = 20.0
CHECKSUM = ctypes.CDLL(h5py.h5.__file__).H5_checksum_lookup3
CHECKSUM.argtypes, CHECKSUM.restype = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32), ctypes.c_uint32
KINDS = [
    (n_frames, dtype, compression)
    for n_frames in (5, None)
    for dtype, compression in (("float32", "none"), ("float16", "gzip"), ("complex64", "lzf"), ("float32", "zstd"))
]


def write_whole(path: Path, n_frames: int | None, dtype: str, compression: str) -> None:
    spec = SpecgramSpec(
        name="mel",
        n_bins=8,
        dtype=dtype,
        axes=("frequency", "time"),
        sample_rate=16000.0,
        hop_length=512,
        units="dB",
        parameters="{}",
        center_frequencies=np.linspace(0, 8000, 8),
        n_frames=n_frames,
    )
    rng = np.random.default_rng(0)
    with create_shard(
        path.parent,
        path.name,
        [spec],
        label_fields={"root": str, "octave": int, "loudness": float},
        has_notes=True,
        config_yaml="transforms: []\n",
        fingerprint="0f",
        compression=compression,
    ) as writer:
        for i in range(4):
            labels: dict[str, str | int | float] = {"root": "Cn", "octave": i, "loudness": 0.5}
            row = ClipRow(f"clip {i}", f"clip {i}.wav", 16000, 64000, labels, np.zeros(2, NOTE_DTYPE))
            writer.append([row], {"mel": [rng.standard_normal((8, n_frames or 3 + i)).astype(dtype)]})
        writer.fail("broken.wav", "decode", "not audio")
        writer.close()


def sealed_blocks(whole: bytes) -> list[tuple[int, int]]:
    """(start, end) of the blocks of metadata that end with a checksum over themselves."""
    blocks = []
    for signature in (
        b"\x89HDF",
        b"OHDR",
        b"OCHK",
        b"FRHP",
        b"FHDB",
        b"FHIB",
        b"BTHD",
        b"BTLF",
        b"EAHD",
        b"EAIB",
        b"EADB",
    ):
        start = -1
        while (start := whole.find(signature, start + 1)) >= 0:
            for end in range(start + 8, min(len(whole) - 3, start + 9000)):
                if CHECKSUM(whole[start:end], end - start, 0) == int.from_bytes(whole[end : end + 4], "little"):
                    blocks.append((start, end))
                    break
    return blocks


def seal(content: bytearray, blocks: list[tuple[int, int]]) -> None:
    for start, end in blocks:
        checksum = CHECKSUM(bytes(content[start:end]), end - start, 0)
        content[end : end + 4] = checksum.to_bytes(4, "little")


def damage(whole: bytes, chance: random.Random, *, in_place: bool) -> bytearray:
    content = bytearray(whole)
    for _ in range(chance.choice([1, 1, 2, 4, 16])):
        if len(content) < 200:
            break
        place = chance.randrange(len(content))
        match chance.randrange(4 if in_place else 6):
            case 0:
                content[place] ^= 1 << chance.randrange(8)
            case 1:
                content[place] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])
            case 2:  # a number that may be a size or an address
                size = chance.choice([2, 4, 8])
                value = chance.choice([0, 1, 2**31, 2**63 - 1, 2**64 - 1, len(whole), chance.randrange(len(whole))])
                piece = (value % 2 ** (8 * size)).to_bytes(size, "little")[: len(content) - place]
                content[place : place + len(piece)] = piece
            case 3:
                source = chance.randrange(len(content))
                size = chance.randrange(1, 64)
                piece = content[source : source + size][: len(content) - place]
                content[place : place + len(piece)] = piece
            case 4:
                content[place : place + chance.randrange(1, 64)] = b""
            case 5:
                del content[max(100, place) :]
    return content


def read_to_the_end(path: Path) -> None:
    faults = verify(path.parent).faults
    summary(path.parent)
    with open_shard(path.parent, path.name) as shard:
        for name in shard.names:
            for i in range(shard.n_clips):
                shard.specgrams(name).read(i)
    for fault in faults:
        if fault.key != "index.json":
            raise ShardError(fault.message)


def work(folder: Path, connection: Connection) -> None:
    """Reads the shard in ``folder`` whenever it is told to, and says how that ended."""
    faulthandler.enable()
    while connection.recv():
        faulthandler.dump_traceback_later(HANG_S - 2)
        try:
            read_to_the_end(folder / shard_name(0))
            end = "sound"
        except ShardError:
            end = "ShardError"
        except MemoryError:
            end = "MemoryError"
        except Exception as error:
            end = f"{type(error).__name__}: {error}"[:200]
        faulthandler.cancel_dump_traceback_later()
        connection.send(end)


def fuzz(seconds: float, seed: int, keep: Path | None) -> dict[str, Counter[str]]:
    chance, ends = random.Random(seed), {"damaged": Counter[str](), "crafted": Counter[str]()}
    context = multiprocessing.get_context("spawn")
    process, connection = None, None
    with tempfile.TemporaryDirectory() as scratch:
        folder, made = Path(scratch) / "out", Path(scratch) / "whole.h5"
        folder.mkdir()
        wholes: list[tuple[bytes, list[tuple[int, int]]]] = []
        for kind in KINDS:
            write_whole(made, *kind)
            wholes.append((made.read_bytes(), sealed_blocks(made.read_bytes())))
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            if process is None or connection is None:
                connection, far = context.Pipe()
                process = context.Process(target=work, args=(folder, far), daemon=True)
                process.start()
                far.close()
            (whole, blocks), way = chance.choice(wholes), chance.choice(["damaged", "crafted"])
            content = damage(whole, chance, in_place=way == "crafted")
            if way == "crafted":
                seal(content, blocks)
            folder / shard_name(0).write_bytes(content)
            connection.send(True)
            end = "hang"
            if connection.poll(HANG_S):
                try:
                    end = connection.recv()
                except EOFError:
                    process.join()
                    end = f"crash {process.exitcode}"
            if end not in ("sound", "ShardError") and keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                name = f"{way}-{end.split(':')[0].replace(' ', '')}-{sum(ends[way].values())}.h5"
                (keep / name).write_bytes(content)
            if end == "hang" or end.startswith("crash"):
                process.kill()
                process = None
            ends[way][end] += 1
        if connection is not None and process is not None:
            connection.send(False)
            process.join(5)
    return ends


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    ends = fuzz(given.seconds, given.seed, given.keep)
    for way, counts in ends.items():
        for end, number in counts.most_common():
            print(f"{way:8} {number:8} {end}")
    return int(bool(set(ends["damaged"]) - {"sound", "ShardError"}))


if __name__ == "__main__":
    sys.exit(main())
