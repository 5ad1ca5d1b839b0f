"""Addresses are refused with one line wherever a path is taken; drive letters and odd names are paths."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

import pytest
import yaml
from typer.testing import CliRunner

import specconv
from specconv.cli.app import app
from specconv.datasets import open_dataset
from specconv.datasets.demo import make_demo
from specconv.errors import ParameterError
from specconv.shards import open_shard, read_index, verify
from specconv.storage import local_path

ADDRESSES = [
    "s3://bucket/key",
    "S3://bucket",
    "gs://b",
    "file:///tmp/x",
    "file:/tmp/x",
    "http://h/x",
    "https://h/x",
    "az://c/x",
    "abfss://c@account/x",
    "hdfs://n:8020/x",
    "hf://datasets/x",
    "memory://x",
    "git+ssh://h/x",
    "simplecache::s3://b/x",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_refused_as_text_and_as_path(address: str) -> None:
    for form in (address, Path(address)):
        with pytest.raises(ParameterError, match="is an address, and only files of this machine") as caught:
            local_path(form)
        assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(address.partition("/")[0] + "//")


@pytest.mark.parametrize(
    "path", ["a", "/s3:/x", "C:/x", "C:\\x", "c:", "a b://x", "1:/x", "out/s3:/x", "s3:", "12:30.wav", "-", "", "ab:x"]
)
def test_other_names_are_paths(path: str) -> None:
    assert local_path(path) == Path(path)
    assert local_path(PureWindowsPath(path)) == Path(PureWindowsPath(path))


ADDRESS = "s3://bucket/key"
CALLS = {
    "open_dataset": lambda: open_dataset(ADDRESS),
    "load_config": lambda: specconv.load_config(ADDRESS),
    "ShardDataset": lambda: specconv.ShardDataset(ADDRESS, "mel"),
    "convert, audio": lambda: specconv.convert(ADDRESS, {"transforms": [{"type": "mel"}]}, "out"),
    "convert, out": lambda: specconv.convert("audio", {"transforms": [{"type": "mel"}]}, ADDRESS),
    "convert, out as Path": lambda: specconv.convert("audio", {"transforms": [{"type": "mel"}]}, Path(ADDRESS)),
    "make_demo": lambda: make_demo(ADDRESS),
    "read_index": lambda: read_index(Path(ADDRESS)),
    "open_shard": lambda: open_shard(Path(ADDRESS), "shard-00000.h5"),
    "verify": lambda: verify(Path(ADDRESS)),
}


@pytest.mark.parametrize("call", CALLS)
def test_python_refuses_addresses(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match="s3://bucket/key is an address"):
        CALLS[call]()
    assert list(Path().iterdir()) == []


COMMANDS = [
    "convert {} --config c.yaml --out out",
    "convert audio --config {} --out out",
    "convert audio --config c.yaml --out {}",
    "convert audio --config c.yaml --out {} --dry-run",
    "convert audio --config c.yaml --out out --json {}",
    "sweep {} --config c.yaml",
    "sweep audio --config {}",
    "sweep audio --config c.yaml --json {}",
    "sweep audio --config c.yaml --plot {}",
    "bench maps --scale quick --json {}",
    "bench maps --scale quick --plot {}",
    "verify {}",
    "verify audio --audio {} --recompute 1",
    "verify audio --json {}",
    "info {}",
    "info c.yaml --json {}",
    "plot {} --to a.png",
    "plot audio --to {}",
    "demo {}",
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("address", ["s3://bucket/key", "file:///tmp/specconv-never"])
def test_commands_refuse_addresses(command: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("audio").mkdir()
    Path("c.yaml").write_text(yaml.safe_dump({"transforms": [{"type": "mel"}]}))
    result = CliRunner().invoke(app, command.format(address).split())
    assert result.exit_code == 2
    assert "is an address" in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert sorted(path.name for path in Path().iterdir()) == ["audio", "c.yaml"]
