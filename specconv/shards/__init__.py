"""Shards: files of specgrams and labels, written whole or not at all (what they hold: ``layout``)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from specconv.shards.formats import (
    Shard,
    ShardWriter,
    create_shard,
    open_shard,
    shard_name,
    shard_names,
    shard_path,
    shard_paths,
)
from specconv.shards.index import Index, read_entry, read_index, remove_index, write_index, write_ledger
from specconv.shards.layout import ClipRow, FailedClip, ShardEntry, SpecgramSpec
from specconv.shards.summary import FolderSummary, summary, underflow_shares
from specconv.shards.unfinished import Remaining, Unfinished, remaining, remove_unfinished, write_unfinished
from specconv.shards.verify import VerifyReport, verify

if TYPE_CHECKING:
    from specconv.shards.dataset import ShardDataset, collate

__all__ = [
    "ClipRow",
    "FailedClip",
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
    "create_shard",
    "open_shard",
    "read_entry",
    "read_index",
    "remaining",
    "remove_index",
    "remove_unfinished",
    "shard_name",
    "shard_names",
    "shard_path",
    "shard_paths",
    "summary",
    "underflow_shares",
    "verify",
    "write_index",
    "write_ledger",
    "write_unfinished",
]


def __getattr__(name: str) -> Any:
    # The dataset alone needs torch: info and verify shall not wait for it.
    if name in ("ShardDataset", "collate"):
        return getattr(import_module("specconv.shards.dataset"), name)
    raise AttributeError(f"module 'specconv.shards' has no attribute {name!r}")
