"""The time below which no program can be: every byte must be read and written once."""

from __future__ import annotations


def floor_seconds(bytes_in: int, bytes_out: int, bandwidth: float) -> float:
    """(bytes in + bytes out) / bandwidth, where bandwidth (bytes/s, > 0) is that of a measured copy."""
    if bandwidth <= 0:
        raise ValueError(f"a bandwidth of {bandwidth} bytes/s; it must be above 0")
    return (bytes_in + bytes_out) / bandwidth
