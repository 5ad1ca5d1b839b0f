"""One audio file, opened with care and read forward once.

Only regular files are opened: a fifo would block, a device could do anything. The file is opened here and
handed to libsndfile as a descriptor, so that no name is special: "-" would be standard input, ".vox" and
".gsm" would make libsndfile read any bytes as sound, and a name may hold bytes that are no text.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import soundfile
from numpy.typing import NDArray

from specconv.audio.ffmpeg import FfmpegError, FfmpegFile, may_decode
from specconv.audio.parts import NEXT_HEADER, Part, find, parts
from specconv.audio.segment import Segment
from specconv.audio.truncation import TRUE_HEADER, BadLengthError
from specconv.errors import AudioError

StrPath = str | os.PathLike[str]

# The integer type that holds a subtype's samples exactly, left-aligned: the float32 that libsndfile would
# read is this over its full scale, and reading integers is several times faster.
_INT16 = frozenset(
    {"PCM_S8", "PCM_U8", "PCM_16", "ULAW", "ALAW", "ALAC_16", "IMA_ADPCM", "MS_ADPCM", "GSM610"}
    | {"G721_32", "G723_24", "G723_40", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32", "DPCM_8", "DPCM_16"}
)
_INT32 = frozenset({"PCM_24", "PCM_32", "ALAC_20", "ALAC_24", "ALAC_32"})
_BLOCK_SAMPLES = 1 << 20  # of all channels: a header that lies costs no more memory than this
_LARGEST = 2.0**40  # a float sample beyond this is no sound, and its power would overflow float32
_DAMAGED = "the file was cut short or is damaged: copy it again"
_LENGTH_UNKNOWN = 1 << 62  # libsndfile says 2^63 - 1
_SAMPLE_DUMP = b"\xf0\x7e"
_MOST_PER_BYTE = 1 << 13  # samples of a channel; the densest is FLAC, with 65,535 equal ones in 12 bytes or more
_OPEN_FLAGS = os.O_RDONLY
for _flag in ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"):  # as far as the system has them
    _OPEN_FLAGS |= getattr(os, _flag, 0)
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a fifo"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that soundfile takes for one that cannot seek.

    Else soundfile seeks after every read: FLAC and Ogg decode the edges of blocks twice, and of an MP3 read
    in blocks they come out wrong, because its decoder forgets the frames before.
    """

    def seekable(self) -> bool:
        return False


class Source:
    """An opened file, to be used in a ``with`` statement.

    promised: samples of each channel that are there at least, or the file is damaged; -1 if nothing is sure.
    sample_rate: Hz.
    channels: their number.
    Raises AudioError wherever the file cannot become exactly the samples that it promises.
    """

    def __init__(self, path: StrPath) -> None:
        self._fd = -1
        self._file: _ForwardFile | FfmpegFile | None = None
        self.path = os.fsdecode(path)
        self._fd = self._open_regular_file()
        try:
            self._size = os.fstat(self._fd).st_size
            if self._size == 0:
                raise self.error("open", "it is empty (0 bytes); copy it again or leave it out")
            self._parts = parts(self._fd, self._size)
            self._done = 0  # samples read of all parts
            self._open_next_part()
            self.promised = self._promised
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:  # of a stream that was left before its end
        self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def error(self, stage: str, reason: str) -> AudioError:
        return AudioError(self.path, stage, reason)

    def count_samples(self) -> int:
        """The samples of each channel that the headers of all parts promise; -1 if one does not say."""
        counts = [self._n_samples]
        while self._open_next_part():
            counts.append(self._n_samples)
        return -1 if -1 in counts else sum(counts)

    def blocks(self, n_samples: int | None = None) -> Iterator[NDArray[Any]]:
        """The first ``n_samples`` samples, or all of them, as (time, channel) int16, int32 or float32 blocks.

        Fewer come only where the file ends, and ends where it promises to. There is at least one sample.
        """
        wanted = _LENGTH_UNKNOWN if n_samples is None else n_samples
        while True:
            yield from self._part_blocks(wanted - self._done)
            if self._done >= wanted or not self._open_next_part():
                break
        if not self._done:
            raise self.error("decode", "it holds no samples, 1 is the least; leave it out or record it again")

    def _part_blocks(self, wanted: int) -> Iterator[NDArray[Any]]:
        if self._n_samples >= 0:
            wanted = min(wanted, self._n_samples)
        longest = max(_BLOCK_SAMPLES // self.channels, 1)
        done = 0
        while done < wanted:
            block = self._read(min(wanted - done, longest), done)
            if not len(block):
                break
            if self._sample_type == "float32":
                self._check_range(block)
            done += len(block)
            self._done += len(block)
            yield block
        promised = min(self._promised, wanted)
        if done < promised:
            found = f"the header promises {self._promised} samples, {done} could be decoded"
            raise self.error("decode", f"{self._part.name}{found}; {_DAMAGED}")

    def _read(self, n_samples: int, done: int) -> NDArray[Any]:
        assert self._file is not None, "the source is closed"
        block: NDArray[Any]
        try:
            if isinstance(self._file, FfmpegFile):
                return self._file.read(n_samples)
            block = self._file.read(n_samples, dtype=self._sample_type, always_2d=True)
        except FfmpegError as error:
            raise self.error("decode", f"{error} from sample {done} on; {_DAMAGED}") from None
        except soundfile.SoundFileError as error:
            where = f"the {n_samples} samples from sample {done} on"
            reason = f"libsndfile gives up within {where} ({_said(error)}); {_DAMAGED}"
            raise self.error("decode", f"{self._part.name}{reason}") from None
        if (plain := self._part.plain) is not None:
            start = self._part.start + done * plain.frame_size
            stop = start + len(block) * plain.frame_size
            header = find(self._fd, NEXT_HEADER[plain.byteorder], start, stop)
            if header is not None:
                found = f"another file begins at byte {header - 8}, and the header before does not say its length"
                raise self.error("decode", f"{self._part.name}{found}; write each to a file, not to a pipe")
        return block

    def _check_range(self, block: NDArray[Any]) -> None:
        if block.min() >= -_LARGEST and block.max() <= _LARGEST:  # false for NaN
            return
        at, channel = divmod(int((~(abs(block) <= _LARGEST)).argmax()), self.channels)
        found = f"sample {self._done + at} of channel {channel} is {block[at, channel]}"
        bound = f"samples are numbers of a size up to {_LARGEST:.1e}"
        raise self.error("decode", f"{found}; {bound}: repair the file or leave it out")

    def _open_next_part(self) -> bool:
        """Open the next part in place of the last; False if there is none."""
        try:
            part = next(self._parts, None)
        except BadLengthError as wrong:
            raise self.error("decode", str(wrong)) from None
        if part is None:
            return False
        file, before = self._open_sound_file(part), self._file
        self._file, self._part = file, part
        if before is None:
            self.sample_rate, self.channels = int(file.samplerate), int(file.channels)
            self._sample_type = _sample_type(file)
        else:
            before.close()
            self._check_same_format(file)
        if self.sample_rate < 1:
            found = f"its sample rate is {self.sample_rate} Hz, 1 is the least"
            raise self.error("open", f"{found}; correct the header")
        self._n_samples = -1 if file.frames >= _LENGTH_UNKNOWN else int(file.frames)
        self._check_length()
        self._promised = part.least if part.guessed else self._n_samples
        if isinstance(file, FfmpegFile):
            self._parts, self._promised = iter(()), file.least
        return True

    def _check_same_format(self, file: _ForwardFile | FfmpegFile) -> None:
        kinds = [
            f"{rate} Hz, {channels} channels, read as {kind}"
            for rate, channels, kind in (
                (self.sample_rate, self.channels, self._sample_type),
                (file.samplerate, file.channels, _sample_type(file)),
            )
        ]
        if kinds[0] != kinds[1]:
            found = f"{self._part.name}it has {kinds[1]}, the part before has {kinds[0]}"
            raise self.error("decode", f"{found}; a clip has one format: take the parts apart, or convert them first")

    def _check_length(self) -> None:
        least, most = self._part.least, self._size * _MOST_PER_BYTE
        if self._n_samples > most:
            found = f"the header promises {self._n_samples} samples, so few bytes hold at most {most}"
            raise self.error("decode", f"{self._part.name}{found}; {_DAMAGED}")
        if 0 <= self._n_samples < least:
            container = "first frame" if self._part.guessed else "header"
            found = f"its {container} lets {self._n_samples} samples be expected, {least} or more are there"
            raise self.error("decode", f"{self._part.name}{found}; {TRUE_HEADER}")

    def _open_regular_file(self) -> int:
        try:
            self._refuse_irregular(os.stat(self.path).st_mode)  # noqa: PTH116 (a Path costs more than the call)
            fd = os.open(self.path, _OPEN_FLAGS)
        except FileNotFoundError:
            raise self.error("open", "there is no such file; was it moved since it was listed?") from None
        except PermissionError:
            raise self.error("open", "it may not be read; permit it (chmod u+r)") from None
        except OSError as error:
            raise self.error("open", f"the system does not open it: {error.strerror or error}") from None
        except ValueError as error:  # a NUL, or a character that no file name holds
            raise self.error("open", f"no file can have this name ({error}); rename it") from None
        try:
            self._refuse_irregular(os.fstat(fd).st_mode)  # what was checked may have been replaced
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _refuse_irregular(self, mode: int) -> None:
        if not stat.S_ISREG(mode):
            kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something special")
            raise self.error("open", f"it is {kind}, and only regular files are read; leave it out")

    def _open_sound_file(self, part: Part) -> _ForwardFile | FfmpegFile:
        begin = os.pread(self._fd, 12, part.start)
        if begin.startswith(_SAMPLE_DUMP):
            found = "it is a MIDI sample dump, and libsndfile makes up what is missing or damaged in one"
            raise self.error("open", f"{found}; convert it to WAV with another tool")
        try:
            if (plain := part.plain) is not None:
                segment = Segment(self._fd, part.start, part.stop)
                endian = plain.byteorder.upper()
                return _ForwardFile(
                    segment, "r", plain.sample_rate, plain.channels, plain.subtype, endian, format="RAW"
                )
            if self._file is None and part.stop == self._size:
                return _ForwardFile(self._fd, closefd=False)
            return _ForwardFile(Segment(self._fd, part.start, part.stop))
        except soundfile.SoundFileError as error:
            if self._file is None and may_decode(begin):
                return self._open_with_ffmpeg(_said(error))
            found = f"{part.name}libsndfile finds no audio in it ({_said(error)}), it begins with {begin!r}"
            cure = "copy it again, convert it to WAV or FLAC, or leave it out"
            raise self.error("open", f"{found}; {cure}") from None

    def _open_with_ffmpeg(self, refusal: str) -> FfmpegFile:
        try:
            return FfmpegFile(self._fd)
        except FfmpegError as error:
            found = f"libsndfile finds no audio in it ({refusal}); {error}"
            raise self.error("open", f"{found}; or convert it to WAV or FLAC, or leave it out") from None


def _sample_type(file: _ForwardFile | FfmpegFile) -> str:
    if isinstance(file, FfmpegFile):
        return file.sample_type
    if file.subtype in _INT16:
        return "int16"
    return "int32" if file.subtype in _INT32 else "float32"


def _said(error: Exception) -> str:
    """The words of libsndfile without its file name and punctuation."""
    said = getattr(error, "error_string", "") or str(error)
    return said.removeprefix("Error : ").rstrip(" .")
