"""The published experiments, by name, with exactly their parameters.

maps and musicnet: K. W. Cheuk, H. Anderson, K. Agres and D. Herremans, "nnAudio: An on-the-fly GPU audio to
spectrogram conversion toolbox", IEEE Access 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from specconv.bench.clips import Clips
from specconv.bench.contest import Contest
from specconv.bench.growth import time_growth
from specconv.bench.machine import describe_machine, usable_cores
from specconv.bench.peers import PEERS
from specconv.bench.published import MAPS_PUBLISHED, MUSICNET_PUBLISHED
from specconv.bench.recordings import SAMPLE_RATE, maps_clips, musicnet_recordings
from specconv.bench.rows import BenchReport, one_by_one
from specconv.bench.timing import Progress, fixed_threads
from specconv.errors import Fault, ParameterError

Scale = Literal["quick", "paper"]
Given = Mapping[str, Any]

MAPS: Sequence[Given] = (
    {"name": "stft", "type": "stft", "n_fft": 2048, "hop_length": 512, "scale": "magnitude"},
    {"name": "mel", "type": "mel", "n_fft": 2048, "hop_length": 512, "n_mels": 128},
    {"name": "cqt", "type": "cqt", "hop_length": 512, "f_min": 55.0, "n_bins": 84, "bins_per_octave": 24},
)
_N_FFTS = (256, 512, 1024, 2048, 4096)
_N_MELS = {
    512: (128, 256),
    1024: (128, 256, 512),
    2048: (128, 256, 512, 1024),
    4096: (128, 256, 512, 1024, 2048),
}
SHARED_WITH_LIBROSA: Sequence[Given] = (
    *(
        {"name": f"stft-{n_fft}", "type": "stft", "n_fft": n_fft, "hop_length": 512, "scale": "magnitude"}
        for n_fft in _N_FFTS
    ),
    *(
        {"name": f"mel-{n_fft}-{n_mels}", "type": "mel", "n_fft": n_fft, "hop_length": 512, "n_mels": n_mels}
        for n_fft, sizes in _N_MELS.items()
        for n_mels in sizes
    ),
    *(
        {
            "name": f"cqt-{r}",
            "type": "cqt",
            "hop_length": 512,
            "f_min": 32.703,
            "n_bins": 84 * r,
            "bins_per_octave": 12 * r,
        }
        for r in range(1, 11)
    ),
)
LOG_SPACED: Sequence[Given] = tuple(
    {
        "name": f"logstft-{n_fft}",
        "type": "stft",
        "n_fft": n_fft,
        "hop_length": 512,
        "scale": "magnitude",
        "freq_scale": "log",
        "f_min": 1.0,
        "f_max": 22_050.0,
    }
    for n_fft in _N_FFTS
)
MUSICNET: Sequence[Given] = (*SHARED_WITH_LIBROSA, *LOG_SPACED)

QUICK_CLIPS = 32
QUICK_MINUTES = 1.0


def run_suite(
    name: str,
    *,
    scale: Scale = "quick",
    audio: Path | None = None,
    device: str = "cpu",
    against: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> BenchReport:
    """A published experiment on this machine.

    name: one of SUITES. scale: "quick" takes 70 s (maps) or 100 s (musicnet) on two cores; "paper" is the published
        size.
    audio: the folder of the corpus; None for generated audio of its shape.
    device: "cpu", "cuda", "cuda:N" or "mps". against: peers by name; None for those usual with the suite.
    progress: told what is being done.
    Raises ParameterError for an unknown suite, scale or peer, DatasetError for a folder without the corpus.
    """
    if name not in _RUNS:
        raise ParameterError([Fault("suite", f"{name!r} is unknown; choose from {', '.join(SUITES)}")])
    if scale not in ("quick", "paper"):
        raise ParameterError([Fault("scale", f"{scale!r} is unknown; choose quick or paper")])
    with fixed_threads(usable_cores()):
        return _RUNS[name](scale, audio, device, against, progress or (lambda _: None))


def _maps(
    scale: Scale, audio: Path | None, device: str, against: Sequence[str] | None, progress: Progress
) -> BenchReport:
    progress("reading the clips")
    clips = maps_clips(audio, QUICK_CLIPS if scale == "quick" else None)
    peers = tuple(PEERS) if against is None else against
    contest = Contest("maps", SAMPLE_RATE, device, peers, in_depth=True, progress=progress)
    rows = contest.time_transforms(MAPS, clips)
    return BenchReport(
        "maps",
        "MAPS: STFT, mel and CQT of short clips",
        describe_machine(device, [PEERS[name].package for name in contest.against]),
        rows,
        notes=[
            *_notes(clips, contest),
            "All at once, clip by clip: with the batch that its users give it. Bare FFT: of as many frames, no more.",
            "The published times are of 1,770 clips.",
        ],
        published=MAPS_PUBLISHED,
        growth=time_growth(MAPS, contest),
    )


def _musicnet(
    scale: Scale, audio: Path | None, device: str, against: Sequence[str] | None, progress: Progress
) -> BenchReport:
    progress("reading the recordings")
    clips = musicnet_recordings(audio, QUICK_MINUTES if scale == "quick" else None)
    contest = Contest(
        "musicnet",
        SAMPLE_RATE,
        device,
        ("librosa",) if against is None else against,
        rounds=3,
        progress=progress,
    )
    rows = contest.time_transforms(MUSICNET, clips)
    for title, transforms in (("29 types together", SHARED_WITH_LIBROSA), ("34 types together", MUSICNET)):
        together = contest.time_together(title, transforms, clips)
        rows += [together, *one_by_one(rows, title, [given["name"] for given in transforms])]
    return BenchReport(
        "musicnet",
        "MusicNet: a sweep of 34 spectrograms over long recordings",
        describe_machine(device, [PEERS[name].package for name in contest.against]),
        rows,
        notes=_notes(clips, contest),
        published=MUSICNET_PUBLISHED,
    )


def _notes(clips: Clips, contest: Contest) -> list[str]:
    hours = clips.n_samples / clips.sample_rate / 3600
    length = f"{hours:.2f} h" if hours >= 1 else f"{hours * 3600:.0f} s"
    return [
        f"Audio: {clips.description}; {length} at {clips.sample_rate:g} Hz.",
        f"Times are medians of {contest.rounds} interleaved rounds, each library with the batch size that "
        "suits it best, waveforms already on the device, results left there.",
        "Agreement is with the float64 definition under the library's own parity.",
    ]


_Run = Callable[[Scale, Path | None, str, Sequence[str] | None, Progress], BenchReport]
_RUNS: Mapping[str, _Run] = {"maps": _maps, "musicnet": _musicnet}
SUITES: Sequence[str] = tuple(_RUNS)
