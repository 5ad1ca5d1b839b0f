"""``specconv convert``: a folder of audio becomes a folder of shards."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from specconv.cli.edge import EXIT_DONE, EXIT_FAULTS, StoppedError, faults_of
from specconv.cli.interruption import interruption
from specconv.cli.options import AudioFolder, Config, Dataset, Device, Json
from specconv.cli.results import give, give_report
from specconv.errors import AudioError, Fault, ParameterError, SpecconvError


def convert(
    audio: AudioFolder,
    config: Config,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the shards.", show_default=False)],
    dataset: Dataset = "auto",
    device: Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace shards made by another config.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first clip that fails.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made, write nothing.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=256, help="Decoding threads; one a core up to 8.", show_default=False),
    ] = None,
    part: Annotated[str, typer.Option(metavar="I/N", help="The I-th of N equal shares of the shards.")] = "1/1",
    on: Annotated[
        str | None, typer.Option(metavar="ray[:ADDRESS]", help="Run on a cluster.", hidden=True)  # until there is one
    ] = None,
    json: Json = None,
) -> int:
    """Write every spectrogram of a config as HDF5 shards.

    Run the same command again to go on after an interruption: shards that are whole are kept.
    """
    share = _share(part)
    if on is not None:
        raise ParameterError([Fault("--on", f"{on!r}: running on a cluster comes later; leave it out, or use --part")])
    from specconv.cli.progress import Meter
    from specconv.cli.told import estimate_table, estimate_values, failed, found, report_table, report_values
    from specconv.config import load_config
    from specconv.datasets import open_dataset
    from specconv.executors import choose_executor
    from specconv.pipeline import choose_device, converter_for, make_plan
    from specconv.pipeline import convert as convert_plan
    from specconv.pipeline import estimate as estimate_tasks
    from specconv.ready_configs import config_reference

    advice = f"finished shards in {out} are kept; run the same command again to go on"
    with Meter() as meter, faults_of(config):
        job = load_config(config)
        chosen = choose_device(device)
        listing = open_dataset(audio, dataset)
        meter.notice(found(listing))
        for layer, names in job.training_only().items():
            meter.notice(f"{layer} changes nothing here, for it works in training alone: {', '.join(names)}")
        plan = make_plan(job, listing)
        if dry_run:
            estimate = estimate_tasks(converter_for(plan.recipe), plan.tasks)
            give(estimate_table(estimate), estimate_values(estimate, listing, out), json)
            return EXIT_DONE
        try:
            with interruption.advising(advice):
                report = convert_plan(
                    plan,
                    out,
                    choose_executor(device, workers),
                    overwrite=overwrite,
                    strict=strict,
                    part=share,
                    config=config_reference(config),
                    progress=meter,
                )
        except SpecconvError as error:
            if not meter.begun:
                raise
            why = f"; stopped at the first failure, as --strict asks; {advice}" if isinstance(error, AudioError) else ""
            raise StoppedError(f"{error}{why}") from error
        if report.failures:
            meter.notice(failed(report))
        has_shards = report.shards + report.kept_shards > 0
        if has_shards and not (out / "index.json").exists():
            meter.notice(f"Part {part} is done; the last part to finish writes {out / 'index.json'}")
    give_report(report_table(report), report_values(report, listing, str(chosen)), json)
    return EXIT_FAULTS if report.failures else EXIT_DONE


def _share(part: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", part)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ParameterError([Fault("--part", f"{part!r} is no share; write I/N with 1 <= I <= N, as 2/4")])
    return int(match[1]), int(match[2])
