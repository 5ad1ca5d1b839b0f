"""Formats that libsndfile lacks, decoded by FFmpeg through PyAV, if it is installed.

PyAV brings FFmpeg in its wheel and asks for no torch of a certain version, as torchcodec does not.

Priming and padding are removed as the container says: FFmpeg's decoder does it for Opus, and at the start of AAC;
the end of AAC is where the edit list of an MP4 file, or the duration of its last packet, puts it.
Raw streams (ADTS, AMR, AC-3) say nothing, so nothing is removed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

INSTALL = "pip install 'specconv[formats]'"
LENGTH_UNKNOWN = 1 << 62

# The demuxers that may be used. Playlists (HLS, DASH, concat) are not among them: they open other files.
_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,asf,aac,ogg,amr,amrnb,amrwb,ac3,eac3,dts,dtshd,ape,wv,tta,mpc,mpc8,shn,rm,dsf,"
    "iff,mp3,flac,caf,oma,tak,truehd,mlp,ea,xwma,wav"
)
# How a file of such a container begins. A file of another kind is none of FFmpeg's, whatever its name.
_BEGINNINGS = re.compile(
    rb"....(?:ftyp|moov|mdat|wide)|OggS|\x1aE\xdf\xa3|0&\xb2u\x8ef\xcf\x11|#!AMR|\x0bw|\x7f\xfe\x80\x01|MAC |wvpk"
    rb"|TTA[12]|MP\+|MPCK|ajkg|\.RMF|\.ra\xfd|DSD |FRM8|tBaK|\xff[\xf0\xf1\xf8\xf9]|EA3|RIFF....XWMA",
    re.DOTALL,
)
# How a second file begins within a joined one, of those containers whose demuxer stops at the end of the first. A block
# of WavPack begins a file if its index is 0 and it is the first of its channels (bit 11 of its flags).
_INITIAL = b"[" + b"".join(re.escape(bytes([value])) for value in range(256) if value & 8) + b"]"
_ANOTHER = re.compile(
    rb"ftyp(?:M4[AVB] |isom|iso[2-9]|mp4[12]|qt  |3g[p2].|dash|avc1|aax )|\x1aE\xdf\xa3.{1,60}?(?:matroska|webm)"
    rb"|0&\xb2u\x8ef\xcf\x11\xa6\xd9\x00\xaa\x00b\xcel|TTA1[\1-\3]\0.\0|MAC [\0-\xff][\x0e\x0f]"
    rb"|wvpk.{6}\0.{5}\0{4}.{5}" + _INITIAL,
    re.DOTALL,
)
_WINDOW, _LONGEST_BEGINNING = 1 << 20, 80  # bytes
_EXACT = {"mov,mp4,m4a,3gp,3g2,mj2", "wv", "tta", "ape"}  # the header gives the length in samples
_ROUGH = {"matroska,webm", "asf"}  # the header gives it in milliseconds, with or without priming
_ROUGH_BY = 0.1  # s
_ROUGHEST_TIMESCALE = 600  # ticks a second in which an MP4 file writes the end of its edit


class FfmpegError(Exception):
    """FFmpeg cannot decode the file, or is not installed; the message says why and what to do."""


def may_decode(begin: bytes) -> bool:
    """Whether a file that begins so is of a container that FFmpeg is asked for."""
    return _BEGINNINGS.match(begin) is not None


class FfmpegFile:
    """A file read forward once, with the part of soundfile.SoundFile's interface that Source needs.

    frames: samples of each channel; LENGTH_UNKNOWN if the container does not say exactly.
    least: samples that the container promises at least; 0 if it promises none.
    sample_type: of the blocks: int16, int32 or float32.
    Raises FfmpegError.
    """

    def __init__(self, fd: int) -> None:
        try:
            import av
        except ImportError as error:
            raise FfmpegError(f"{INSTALL} adds a decoder that may read it") from error
        self._error = av.FFmpegError
        self._file: IO[bytes] = open(fd, "rb", closefd=False)  # noqa: SIM115
        self._container: InputContainer | None = None
        try:
            self._refuse_joined()
            packets_end = self._packets_end()
            self._container = self._open()
            stream = self._container.streams.audio[0]
            self._frames = self._decoded(stream)
            first = next(self._frames, None)
            if first is None:
                raise FfmpegError("FFmpeg finds no sample in it; leave it out or record it again")
            self.samplerate, self.channels = int(first.sample_rate), int(first.layout.nb_channels)
            self._pending = self._array(first)
            self.sample_type = self._pending.dtype.name
            self._set_length(stream, packets_end)
        except BaseException as error:
            self.close()
            if isinstance(error, (self._error, IndexError, ValueError)):
                raise FfmpegError(f"FFmpeg finds no audio in it ({_reason(error)})") from error
            raise

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None
        self._file.close()

    def read(self, n_samples: int) -> NDArray[Any]:
        """The next ``n_samples`` of all channels, (time, channel); fewer where the file ends."""
        blocks, missing = [self._pending[:n_samples]], n_samples - len(self._pending)
        self._pending = self._pending[n_samples:]
        while missing > 0:
            try:
                frame = next(self._frames, None)
            except (self._error, ValueError) as error:
                raise FfmpegError(f"FFmpeg cannot decode it ({_reason(error)})") from error
            if frame is None:
                break
            block = self._array(frame)
            blocks.append(block[:missing])
            self._pending, missing = block[missing:], missing - len(block)
        return np.concatenate(blocks)

    def _open(self) -> InputContainer:
        import av

        os.lseek(self._file.fileno(), 0, os.SEEK_SET)
        self._file.seek(0)
        return av.open(self._file, "r", container_options={"format_whitelist": _DEMUXERS, "protocol_whitelist": "none"})

    def _refuse_joined(self) -> None:
        """Raise FfmpegError for files joined end to end; FFmpeg would read the first of them and say nothing."""
        position = 8  # behind the file's own beginning
        while window := os.pread(self._file.fileno(), _WINDOW, position):
            if found := _ANOTHER.search(window):
                at = position + found.start()
                raise FfmpegError(f"it holds files joined end to end, another begins at byte {at}; separate them")
            if len(window) <= _LONGEST_BEGINNING:
                return
            position += len(window) - _LONGEST_BEGINNING

    def _decoded(self, stream: AudioStream) -> Iterator[AudioFrame]:
        assert self._container is not None
        for packet in self._container.demux(stream):
            if packet.is_corrupt:
                raise ValueError("a packet is damaged")
            for frame in packet.decode():
                if frame.samples:
                    yield frame

    def _packets_end(self) -> float:
        """Seconds at which the last packet of an MP4 file ends, by the durations of its packets; 0 for another file."""
        with self._open() as container:  # on its own: after a seek FFmpeg may keep the priming samples
            stream = container.streams.audio[0]
            if not container.format.name.startswith("mov") or stream.duration is None or stream.time_base is None:
                return 0.0
            container.seek(stream.duration, stream=stream)
            ends = [p.pts + (p.duration or 0) for p in container.demux(stream) if p.pts is not None]
            return float(max(ends, default=0) * stream.time_base)

    def _set_length(self, stream: AudioStream, packets_end: float) -> None:
        assert self._container is not None
        kind, rate = self._container.format.name, self.samplerate
        seconds = 0.0
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif self._container.duration is not None:
            seconds = self._container.duration / 1e6
        self.frames, self.least = LENGTH_UNKNOWN, 0
        if kind in _EXACT and seconds > 0:
            # Writers round the end of an edit to the file's time scale; the packets then say the exact end.
            rounded = abs(packets_end - seconds) <= 1 / _ROUGHEST_TIMESCALE
            self.frames = self.least = round((packets_end if rounded else seconds) * rate)
        elif kind in _ROUGH:
            self.least = max(round((seconds - _ROUGH_BY) * rate), 0)

    def _array(self, frame: AudioFrame) -> NDArray[Any]:
        """(time, channel) int16, int32 or float32."""
        if (frame.sample_rate, frame.layout.nb_channels) != (self.samplerate, self.channels):
            raise ValueError(f"sample rate or channels change from {self.samplerate} Hz, {self.channels}")
        values: NDArray[Any] = frame.to_ndarray()
        values = values.T if frame.format.is_planar else values.reshape(-1, self.channels)
        if values.dtype == np.uint8:
            return (values.astype(np.int16) - 128) << 8
        if values.dtype in (np.int16, np.int32, np.float32):
            return values
        if values.dtype == np.int64:
            return (values >> 32).astype(np.int32)
        return values.astype(np.float32)


def _reason(error: BaseException) -> str:
    return " ".join((getattr(error, "strerror", None) or str(error)).split()).rstrip(".")
