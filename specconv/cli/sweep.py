"""``specconv sweep``: every transform of a config timed over a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specconv.cli.edge import EXIT_DONE, EXIT_FAULTS, faults_of
from specconv.cli.options import Against, AudioFolder, Config, Dataset, Device, Json, Picture
from specconv.cli.results import give, show

if TYPE_CHECKING:
    from specconv.bench import SweepReport


def sweep(
    audio: AudioFolder,
    config: Config,
    dataset: Dataset = "auto",
    device: Device = "auto",
    against: Against = None,
    json: Json = None,
    plot: Picture = None,
) -> int:
    """Time every spectrogram of a config, write none.

    Beside other libraries on the same clips, with the difference between their results and the definition.
    """
    from specconv.bench import draw, sweep_tables, time_sweep
    from specconv.cli.progress import doing
    from specconv.config import load_config
    from specconv.datasets import open_dataset
    from specconv.pipeline import choose_device

    so_far: list[SweepReport] = []
    with faults_of(config), doing() as say:
        job = load_config(config)
        chosen = str(choose_device(device))
        listing = open_dataset(audio, dataset)
        try:
            report = time_sweep(listing, job, device=chosen, against=against or (), progress=say, show=so_far.append)
        except KeyboardInterrupt:
            if so_far:
                show(sweep_tables(so_far[-1]))
            raise
    give(sweep_tables(report), report.as_json(), json)
    if plot is not None:
        draw(report, plot)
    wrong = any(row.is_wrong and row.is_ours for row in report.rows)
    return EXIT_FAULTS if report.unreadable or wrong else EXIT_DONE
