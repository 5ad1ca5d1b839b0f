"""The machine that a time was taken on: without it a time says nothing."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from specconv.bench.timing import clock_of, time_interleaved
from specconv.version import __version__

_COPY_BYTES = {"cpu": 2**29, "cuda": 2**31}  # far beyond any cache


@dataclass(frozen=True)
class Machine:
    """What a reader needs in order to compare two tables.

    bandwidth: bytes read and written per second by a plain copy, measured, by device.
    """

    cpu: str
    cores: int
    threads: int
    memory_bytes: int
    device: str
    gpu: str | None
    bandwidth: Mapping[str, float]
    versions: Mapping[str, str]
    system: str

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    def lines(self) -> list[str]:
        """The description in words, one fact a line."""
        memory = f"{self.memory_bytes / 2**30:.0f} GiB"
        described = [f"CPU     {self.cpu}, {self.cores} cores, {self.threads} threads used, {memory}"]
        if self.gpu:
            described.append(f"GPU     {self.gpu}")
        copies = ", ".join(f"{device} {rate / 1e9:.1f} GB/s" for device, rate in self.bandwidth.items())
        described.append(f"memory  a copy reads and writes {copies} (measured)")
        described.append("with    " + ", ".join(f"{name} {version}" for name, version in self.versions.items()))
        described.append(f"on      {self.system}")
        return described


def describe_machine(device: str, libraries: Iterable[str] = ()) -> Machine:
    """This machine, torch's threads at this moment, and the versions of ``libraries`` (names of packages)."""
    devices = ["cpu"] if device == "cpu" else ["cpu", device]
    versions = {"python": platform.python_version(), "specconv": __version__}
    for package in ("torch", "torchaudio", "numpy", *libraries):
        if (version := package_version(package)) is not None:
            versions[package] = version
    return Machine(
        cpu=_cpu_name(),
        cores=usable_cores(),
        threads=torch.get_num_threads(),
        memory_bytes=_memory_bytes(),
        device=device,
        gpu=torch.cuda.get_device_name(device) if device.startswith("cuda") else None,
        bandwidth={name: copy_bandwidth(name) for name in devices},
        versions=versions,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


@functools.cache
def copy_bandwidth(device: str) -> float:
    """Bytes read plus bytes written per second by a copy of a tensor on ``device``, median of five.

    Two tensors too large for any cache, both touched before: the rate that a perfect program would reach.
    """
    n_bytes = min(_COPY_BYTES.get(device.split(":")[0], 2**28), device_memory(device) // 8 // 4 * 4 or 2**28)
    source = torch.ones(n_bytes // 4, dtype=torch.float32, device=device)
    target = torch.zeros_like(source)
    times = time_interleaved({"copy": lambda: target.copy_(source)}, clock=clock_of(device), rounds=5)
    return 2 * n_bytes / times["copy"].median


def device_memory(device: str) -> int:
    """Bytes of the device's memory; of the machine's for the CPU (and for Apple's GPU, which shares it)."""
    if device.startswith("cuda"):
        return int(torch.cuda.get_device_properties(device).total_memory)
    return _memory_bytes()


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def package_version(package: str) -> str | None:
    """The installed version of a package, None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
