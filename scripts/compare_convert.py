"""How fast is a conversion, beside the loops that people write instead?

    python scripts/compare_convert.py [--audio DIR] [--rounds 5]

Piano triads of 4 s at 16 kHz to mel spectrograms of 64 x 126, to HDF5, by specconv, by a plain loop of soundfile,
torchaudio and h5py, and by one of librosa and h5py. All in one process (start-up is nobody's), in interleaved rounds,
results compared before any time is printed; every way leaves its file flushed to the disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import librosa
import numpy as np
import soundfile
import torch
import torchaudio

import specconv
from specconv.datasets.demo import make_demo

CONFIG = Path(__file__).parent.parent / "configs" / "piano_triads.yaml"
N_SAMPLES, RATE = 64_000, 16_000


def flushed(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def loop(files: list[Path], out: Path, mel: Callable[[Path], np.ndarray]) -> None:
    with h5py.File(out / "loop.h5", "w") as file:
        values = file.create_dataset("mel", (len(files), 64, 126), "f4", chunks=(1, 64, 126))
        for i, path in enumerate(files):
            values[i] = mel(path)
    flushed(out / "loop.h5")


def with_torchaudio(files: list[Path], out: Path) -> None:
    transform = torchaudio.transforms.MelSpectrogram(RATE, n_fft=1024, hop_length=512, n_mels=64)

    def mel(path: Path) -> np.ndarray:
        samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
        waveform = torch.from_numpy(samples).mean(dim=1)[:N_SAMPLES]
        waveform = torch.nn.functional.pad(waveform, (0, N_SAMPLES - len(waveform)))
        return transform(waveform).numpy()

    with torch.no_grad():
        loop(files, out, mel)


def with_librosa(files: list[Path], out: Path) -> None:
    def mel(path: Path) -> np.ndarray:
        waveform, _ = librosa.load(path, sr=RATE, mono=True, duration=4.0)
        waveform = librosa.util.fix_length(waveform, size=N_SAMPLES)
        return librosa.feature.melspectrogram(
            y=waveform, sr=RATE, n_fft=1024, hop_length=512, n_mels=64, htk=True, norm=None, pad_mode="reflect"
        )

    loop(files, out, mel)


def with_specconv(files: list[Path], out: Path) -> None:
    specconv.convert(Path(os.path.commonpath([path.parent for path in files])), CONFIG, out / "shards")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--audio", type=Path, help="a folder of piano triads; made if omitted")
    arguments.add_argument("--rounds", type=int, default=5)
    chosen = arguments.parse_args()
    ways = {
        "specconv": with_specconv,
        "soundfile + torchaudio + h5py": with_torchaudio,
        "librosa + h5py": with_librosa,
    }
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if chosen.audio is None:
            make_demo(work / "demo", size="medium")
            chosen.audio = work / "demo" / "piano_triads"
        files = sorted(chosen.audio.rglob("*.wav"))
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(chosen.rounds + 1):  # the first warms up and is compared
            for name, way in ways.items():
                out = work / f"out-{name[:8]}"
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir()
                started = time.perf_counter()
                way(files, out)
                if turn:
                    seconds[name].append(time.perf_counter() - started)
                elif name == "specconv":
                    data = specconv.ShardDataset(out / "shards", "mel")
                    reference = np.stack([data[i][0].numpy() for i in range(len(data))])
                else:
                    with h5py.File(out / "loop.h5") as file:
                        values = file["mel"][:]
                    error = np.abs(values - reference).max() / np.abs(reference).max()
                    print(f"{name}: greatest difference {error:.1e} of the peak")
                    if error > 1e-4:
                        raise SystemExit(f"{name} computes something else: no times")
    ours = seconds["specconv"]
    print(f"{len(files)} clips, {torch.get_num_threads()} threads, {chosen.rounds} rounds, seconds median (min to max)")
    for name, times in seconds.items():
        ratio = statistics.median(t / o for t, o in zip(times, ours, strict=True))
        print(
            f"{name:32} {statistics.median(times):7.2f} ({min(times):.2f} to {max(times):.2f})"
            f"  {len(files) / statistics.median(times):6.0f} clips/s  {ratio:5.2f} x specconv's time"
        )


if __name__ == "__main__":
    main()
