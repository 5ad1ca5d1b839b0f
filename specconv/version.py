"""The version, in one place: shards and reports hold it."""

__version__ = "0.2.0"
