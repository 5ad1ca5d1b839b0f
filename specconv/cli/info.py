"""``specconv info``: what a folder of shards, one shard or a config holds."""

from __future__ import annotations

from specconv.cli.edge import EXIT_DONE, faults_of
from specconv.cli.options import Described, Json
from specconv.cli.results import give


def info(
    path: Described,
    json: Json = None,
) -> int:
    """Say what shards or a config hold.

    For a config: every spectrogram it makes, and how much memory a second of audio becomes.
    """
    from specconv.cli import held

    if path.is_dir():
        described = held.in_folder(path)
    elif path.suffix.lower() in (".h5", ".hdf5"):
        described = held.in_shard(path)
    else:
        with faults_of(path):
            described = held.in_config(path)
    give(described.table, described.values, json)
    return EXIT_DONE
