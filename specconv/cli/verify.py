"""``specconv verify``: is a folder of shards what it says?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from specconv.cli.edge import EXIT_DONE, EXIT_FAULTS
from specconv.cli.options import Device, Json, ShardFolder
from specconv.cli.results import facts, give
from specconv.messages import byte_size


def verify(
    folder: ShardFolder,
    recompute: Annotated[
        int, typer.Option(metavar="N", min=0, help="Compute N clips again from their audio and compare.")
    ] = 0,
    audio: Annotated[
        Path | None,
        typer.Option(metavar="AUDIO_DIR", help="Where the audio is, if it was moved since.", show_default=False),
    ] = None,
    device: Device = "cpu",
    json: Json = None,
) -> int:
    """Check every byte of a folder of shards.

    A single changed byte is found, and its shard named. Shards with faults are not computed again.
    """
    from specconv.cli.progress import doing
    from specconv.cli.remaining import remaining_rows, remaining_values
    from specconv.shards import verify as verify_shards

    with doing() as say:
        report = verify_shards(folder, progress=lambda name: say(f"checking {name}"))
        rows = [("shards", f"{report.shards:,}"), ("clips", f"{report.clips:,}"), ("size", byte_size(report.size))]
        faults = list(report.faults)
        values: dict[str, Any] = {
            "folder": str(folder),
            "shards": report.shards,
            "clips": report.clips,
            "bytes": report.size,
        }
        if report.remaining is not None:
            rows += remaining_rows(folder, report.remaining)
            values |= remaining_values(folder, report.remaining)
        if recompute and not faults and report.remaining is None:
            from specconv.pipeline import choose_device
            from specconv.pipeline.recompute import recompute as recompute_clips

            again = recompute_clips(folder, recompute, audio=audio, device=choose_device(device), progress=say)
            faults += again.faults
            rows.append(("recomputed", f"{again.clips:,} clips, {len(again.faults):,} faults"))
            rows.append(
                (
                    "largest difference",
                    f"{again.largest:.2g} of the peak" + (f" ({again.largest_at})" if again.largest_at else ""),
                )
            )
            values["recomputed"] = {
                "clips": again.clips,
                "largest_difference": again.largest,
                "largest_at": again.largest_at,
            }
    rows.append(("faults", "none" if not faults else f"{len(faults):,}"))
    rows += [("", str(fault)) for fault in faults]
    give(facts(rows), {**values, "faults": [{"where": f.key, "what": f.message} for f in faults]}, json)
    return EXIT_FAULTS if faults else EXIT_DONE
