"""Notes from and to Standard MIDI Files (format 0 and 1), as much as piano corpora need."""

from __future__ import annotations

import struct
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specconv.datasets.base import Note, notes_array, readable
from specconv.errors import DatasetError

_MICROSECONDS_A_QUARTER = 500_000  # until a file says otherwise
_LARGEST_FILE = 1 << 21  # bytes; an hour of dense piano takes half of it


class _Event(NamedTuple):
    tick: int
    status: int  # with its channel; 0xFF: a meta event
    data: bytes  # of a meta event: its type, then its body


def read_midi(path: Path) -> NDArray[np.void]:
    """The notes of a MIDI file as NOTE_DTYPE: from key down to key up, whatever the pedal does.

    A key that is never released ends with the file. Raises DatasetError if this is no MIDI file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise ValueError(f"more than {_LARGEST_FILE} bytes")
        division, events = _events(content)
        return notes_array(_notes(division, events), path)
    except (OSError, ValueError, IndexError, struct.error) as fault:
        raise DatasetError(f"{readable(path)}: not a readable MIDI file: {fault}") from fault


def _events(content: bytes) -> tuple[int, list[_Event]]:
    """Ticks a quarter, and the events of all tracks by time."""
    kind, size, layout, _, division = struct.unpack(">4sIHHH", content[:14])
    if kind != b"MThd" or layout > 1:
        raise ValueError("no header of format 0 or 1")
    if division == 0 or division & 0x8000:
        raise ValueError("no ticks a quarter")
    events: list[_Event] = []
    at = 8 + size
    while at + 8 <= len(content):
        kind, size = struct.unpack(">4sI", content[at : at + 8])
        if kind == b"MTrk":
            events += _track(content[at + 8 : at + 8 + size])
        at += 8 + size
    events.sort(key=lambda event: event.tick)  # stable: within a tick the file's order stands
    return division, events


def _track(track: bytes) -> Iterator[_Event]:
    at = tick = running = 0
    while at < len(track):
        delta, at = _variable_length(track, at)
        tick += delta
        status = running
        if track[at] & 0x80:
            status, at = track[at], at + 1
        if status >= 0xF0:  # meta event or system exclusive: both carry their length
            is_meta = status == 0xFF
            size, body = _variable_length(track, at + is_meta)
            if is_meta:
                yield _Event(tick, status, track[at : at + 1] + track[body : body + size])
            at = body + size
            continue
        if status < 0x80:
            raise ValueError("data before any status")
        running = status
        size = 1 if status & 0xF0 in (0xC0, 0xD0) else 2
        if at + size > len(track):
            raise ValueError("a track ends within an event")
        yield _Event(tick, status, track[at : at + size])
        at += size


def _variable_length(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for _ in range(4):
        value = value << 7 | data[at] & 0x7F
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise ValueError("a length of more than four bytes")


def _notes(division: int, events: Sequence[_Event]) -> list[Note]:
    notes: list[Note] = []
    sounding: dict[tuple[int, int], deque[tuple[float, int, int]]] = defaultdict(deque)
    programs: dict[int, int] = defaultdict(lambda: 1)
    now, last_tick, tempo = 0.0, 0, _MICROSECONDS_A_QUARTER
    for tick, status, data in events:
        now += (tick - last_tick) * tempo / division / 1e6
        last_tick = tick
        kind, channel = status & 0xF0, status & 0x0F
        if status == 0xFF:
            if data[:1] == b"\x51" and len(data) == 4:
                tempo = int.from_bytes(data[1:], "big")
        elif kind == 0xC0:
            programs[channel] = (data[0] & 0x7F) + 1
        elif kind == 0x90 and data[1] > 0:
            sounding[channel, data[0]].append((now, data[1], programs[channel]))
        elif kind in (0x80, 0x90) and sounding[channel, data[0]]:
            onset, velocity, program = sounding[channel, data[0]].popleft()
            notes.append((onset, now, data[0], velocity, program))
    for (_, pitch), left in sounding.items():
        notes += [(onset, now, pitch, velocity, program) for onset, velocity, program in left]
    return notes


def write_midi(
    path: Path, notes: NDArray[np.void], sample_rate: int, pedal: Sequence[tuple[float, float]] = ()
) -> None:
    """Write notes (NOTE_DTYPE, every velocity known) for one piano, format 0, with one tick a sample.

    pedal: (down, up) of the sustain pedal in seconds. sample_rate: Hz, even, at most 65,534.
    """
    moments: list[tuple[int, int, bytes]] = []  # tick, order within a tick (ends before starts), event
    for onset, offset, pitch, velocity, _ in notes.tolist():
        moments.append((round(onset * sample_rate), 1, bytes((0x90, pitch, velocity))))
        moments.append((round(offset * sample_rate), 0, bytes((0x80, pitch, 0))))
    for down, up in pedal:
        moments.append((round(down * sample_rate), 1, b"\xb0\x40\x7f"))
        moments.append((round(up * sample_rate), 0, b"\xb0\x40\x00"))
    track = b"\x00\xff\x51\x03" + _MICROSECONDS_A_QUARTER.to_bytes(3, "big")
    now = 0
    for tick, _, event in sorted(moments):
        track += _as_variable_length(tick - now) + event
        now = tick
    track += b"\x00\xff\x2f\x00"
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, sample_rate // 2)  # a quarter is half a second
    path.write_bytes(header + struct.pack(">4sI", b"MTrk", len(track)) + track)


def _as_variable_length(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))
