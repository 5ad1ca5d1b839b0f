"""A few silent clips in the layouts of corpora that the demo does not make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from specconv.datasets import NOTE_DTYPE
from specconv.datasets.midi import write_midi

MAESTRO_CSV = """\
canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration
Alban Berg,"Sonata Op. 1, I",train,2018,2018/a.midi,2018/a.wav,1.0
Franz Liszt,Valse,validation,2004,2004/b.midi,2004/b.wav,1.0
"""


def silence(path: Path, sample_rate: int = 22_050) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(sample_rate), sample_rate)


def maestro(root: Path) -> Path:
    for clip, sample_rate in (("2018/a", 44_100), ("2004/b", 48_000)):
        silence(root / f"{clip}.wav", sample_rate)
        notes = np.array([(0.1, 0.5, 60, 64, 1), (0.2, 0.9, 64, 70, 1)], NOTE_DTYPE)
        write_midi(root / f"{clip}.midi", notes, 44_100, [(0.0, 1.0)])
    (root / "maestro-v3.0.0.csv").write_text(MAESTRO_CSV)
    return root


def gtzan(root: Path) -> Path:
    for name in ("jazz/jazz.00054.wav", "jazz/jazz.00000.wav", "rock/rock.00099.au"):
        silence(root / "genres" / name)
    return root


def esc50(root: Path) -> Path:
    for name in ("1-100032-A-0", "5-9032-B-49"):
        silence(root / "audio" / f"{name}.wav")
    (root / "meta").mkdir()
    (root / "meta/esc50.csv").write_text(
        "filename,fold,target,category,esc10,src_file,take\n1-100032-A-0.wav,1,0,dog,True,100032,A\n"
    )
    return root


def speech_commands(root: Path) -> Path:
    for name in ("yes/0a7c2a8d_nohash_0", "yes/0a7c2a8d_nohash_1", "no/0a7c2a8d_nohash_0"):
        silence(root / f"{name}.wav")
    silence(root / "_background_noise_/pink_noise.wav")
    (root / "validation_list.txt").write_text("yes/0a7c2a8d_nohash_1.wav\n")
    (root / "testing_list.txt").write_text("no/0a7c2a8d_nohash_0.wav\n")
    return root
