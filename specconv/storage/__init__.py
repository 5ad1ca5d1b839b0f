"""Where files are: folders of this machine's file systems. Knows nothing of shards or audio."""

from specconv.storage.address import local_path

__all__ = ["local_path"]
