"""Audio files become waveforms: decoding, one channel, one sample rate, one length.

clip: the values.  source: opening and reading one file.  parts: the files joined in it, each a segment.
containers, mpeg, tags: how long they say they are.  truncation: is it true.
downmix, resample, fit: the steps.  decode, load: the ways in.  batches: which clips go together.
"""

from specconv.audio.batches import similar_lengths
from specconv.audio.clip import AudioFormat, AudioInfo, Clip, LoadedClip
from specconv.audio.decode import decode, probe
from specconv.audio.load import AudioStream, load, load_at_most, stream
from specconv.audio.resample import Resampler, resampler

__all__ = [
    "AudioFormat",
    "AudioInfo",
    "AudioStream",
    "Clip",
    "LoadedClip",
    "Resampler",
    "decode",
    "load",
    "load_at_most",
    "probe",
    "resampler",
    "similar_lengths",
    "stream",
]
