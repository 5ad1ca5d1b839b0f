"""Shards: HDF5 files of specgrams and labels, written whole or not at all (the format: ``layout``)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from specconv.shards.durable import output_error, remove_leftovers, sync_folder
from specconv.shards.finished import read_entry, read_failures, read_fingerprint
from specconv.shards.index import Index, ShardEntry, read_index, remove_index, write_index, write_ledger
from specconv.shards.layout import ClipRow, FailedClip, SpecgramSpec, shard_path, shard_paths
from specconv.shards.lock import FolderLock
from specconv.shards.opening import Shard, open_shard
from specconv.shards.summary import FolderSummary, summary, underflow_shares
from specconv.shards.unfinished import Remaining, Unfinished, remaining, remove_unfinished, write_unfinished
from specconv.shards.verify import VerifyReport, verify
from specconv.shards.writer import ShardWriter

if TYPE_CHECKING:
    from specconv.shards.reader import ShardDataset, collate

__all__ = [
    "ClipRow",
    "FailedClip",
    "FolderLock",
    "FolderSummary",
    "Index",
    "Remaining",
    "Shard",
    "ShardDataset",
    "ShardEntry",
    "ShardWriter",
    "SpecgramSpec",
    "Unfinished",
    "VerifyReport",
    "collate",
    "open_shard",
    "output_error",
    "read_entry",
    "read_failures",
    "read_fingerprint",
    "read_index",
    "remaining",
    "remove_index",
    "remove_leftovers",
    "remove_unfinished",
    "shard_path",
    "shard_paths",
    "summary",
    "sync_folder",
    "underflow_shares",
    "verify",
    "write_index",
    "write_ledger",
    "write_unfinished",
]


def __getattr__(name: str) -> Any:
    # The dataset alone needs torch: info and verify shall not wait for it.
    if name in ("ShardDataset", "collate"):
        return getattr(import_module("specconv.shards.reader"), name)
    raise AttributeError(f"module 'specconv.shards' has no attribute {name!r}")
