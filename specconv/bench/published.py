"""The figures of the papers, as printed there, to stand beside a machine's own."""

from __future__ import annotations

from collections.abc import Sequence

from specconv.bench.rows import Published

_MACHINES = ("A: i7-8700, GTX 1070 Ti", "B: RTX 2080 Ti", "C: Xeon E5-2698v4, V100")

MAPS_PUBLISHED: Sequence[Published] = (
    Published(
        "Published (nnAudio, 2020): seconds for 1,770 clips of 80,000 samples",
        ("transform", "library", *_MACHINES),
        (
            ("STFT", "librosa", "6.1", "4.2", "10.64"),
            ("STFT", "nnAudio CPU", "7.4", "3.8", "4.0"),
            ("STFT", "nnAudio GPU*", ".064", ".008", ".001"),
            ("STFT", "Kapre", "2.4", "1.0", "1.9"),
            ("STFT", "tf.signal", ".61", ".85", "1.05"),
            ("STFT", "torchaudio", "-", ".057", ".001"),
            ("Mel", "librosa", "11.4", "8.1", "18.3"),
            ("Mel", "nnAudio CPU", "8.2", "4.6", "3.7"),
            ("Mel", "nnAudio GPU*", ".073", ".018", ".015"),
            ("Mel", "Kapre", "1.85", ".75", ".88"),
            ("Mel", "tf.signal", ".56", ".58", "1.02"),
            ("Mel", "torchaudio", "-", ".079", ".042"),
            ("CQT", "librosa", "56.6", "39.9", "103.4"),
            ("CQT2010", "nnAudio CPU", "19.4", "7.9", "7.1"),
            ("CQT2010", "nnAudio GPU*", ".783", ".378", ".258"),
            ("CQT2010v2", "nnAudio CPU", "12.6", "2.7", "4.6"),
            ("CQT2010v2", "nnAudio GPU*", ".096", ".049", ".091"),
            ("CQT1992v2", "nnAudio CPU", "98.9", "4.3", "9.8"),
            ("CQT1992v2", "nnAudio GPU*", ".031", ".008", ".001"),
        ),
        "* Launch times: the published scripts never wait for the GPU. One STFT of this set moves 1.7 GB: "
        "1.9 ms at 900 GB/s, and .001 s is less than the memory can do.",
    ),
)

MUSICNET_PUBLISHED: Sequence[Published] = (
    Published(
        "Published (nnAudio, 2020): seconds for MusicNet, 320 recordings, about 34 h",
        ("transform", "nnAudio on A", "nnAudio on B", "librosa on A", "librosa on B"),
        (
            ("STFT 2048", "67.0", "15.5", "296.6", "174.3"),
            ("Mel 2048, 128", "70.3", "16.4", "280.5", "178.5"),
            ("CQT, r = 1", "329.9", "35.6", "1857.8", "1455.9"),
            ("CQT, r = 10", "2490", "1962", "3997", "2725"),
        ),
        "All types, on average over three machines: librosa 11.5 h (without the log-spaced ones, which it "
        "does not have), nnAudio 2.8 h.",
    ),
)
