"""The sound of one note: sums of decaying partials, as a struck string or a sustained instrument has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

RELEASE = 0.25  # s of sound after a key goes up
_N_PARTIALS = 28
_HIGHEST = 0.45  # of the sample rate: no partial above it


class Played(NamedTuple):
    """A note to be heard. Times are samples; at its offset the sound is damped (key or pedal goes up)."""

    onset: int
    offset: int
    pitch: int  # MIDI
    velocity: int  # 1 to 127
    program: int = 1  # General MIDI, counted from 1


def frequency(pitch: int) -> float:
    """Hz of a MIDI pitch in equal temperament, A4 = 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69) / 12))


def decaying_partials(
    frequencies: Samples,
    decays: Samples,
    amplitudes: Samples,
    phases: Samples,
    n_samples: int,
    sample_rate: int,
) -> Samples:
    """sum_k a_k exp(-d_k t) sin(2 pi f_k t + p_k), t = n / sample_rate, n_samples of it.

    With the poles z_k and n = i W + j, z^n = z^(iW) z^j: the sum over k is a product of two small matrices.
    """
    width, rows = 256, 16  # products so small that no BLAS spreads them over threads, which may be slow and inexact
    log_poles = (-decays + 2j * np.pi * frequencies) / sample_rate
    within = np.exp(np.outer(log_poles, np.arange(width)))
    n_rows = rows * -(-n_samples // (rows * width))
    starts = np.exp(np.outer(width * np.arange(n_rows), log_poles)) * (amplitudes * np.exp(1j * phases))
    # the imaginary part of a complex product, by real products alone
    left = np.hstack((starts.real, starts.imag)).reshape(-1, rows, 2 * log_poles.size)
    return np.asarray((left @ np.vstack((within.imag, within.real))).ravel()[:n_samples])


def tone(note: Played, sample_rate: int, rng: np.random.Generator, *, brightness: float = 1.0) -> Samples:
    """The note from its onset until RELEASE s after its offset. brightness: above 1, louder overtones."""
    held = note.offset - note.onset
    n_samples = held + round(RELEASE * sample_rate)
    make = _struck if note.program <= 8 else _sustained
    sound = make(note, n_samples, sample_rate, rng, brightness)
    time = np.arange(n_samples) / sample_rate
    damping = 14.0 + 0.25 * max(note.pitch - 60, 0)  # 1/s: about 60 dB in the release
    sound *= np.exp(-2 * damping * np.maximum(time - held / sample_rate, 0))
    fade = min(n_samples, sample_rate // 100)
    sound[-fade:] *= np.linspace(1, 0, fade)
    return np.asarray(sound)


def _struck(note: Played, n_samples: int, sample_rate: int, rng: np.random.Generator, brightness: float) -> Samples:
    """A piano string: stretched partials, a fast and a slow decay, brighter the harder it is struck.

    Partials after Fletcher (1962), inharmonicity by pitch after Rigaud, David and Daudet (2013).
    """
    pitch, force = note.pitch, note.velocity / 127
    stiffness = np.exp(-0.0847 * pitch - 5.82) + np.exp(0.0926 * pitch - 13.64)
    number = np.arange(1, _N_PARTIALS + 1, dtype=np.float64)
    stretch = np.sqrt((1 + stiffness * number**2) / (1 + stiffness))  # the first partial is in tune
    frequencies = frequency(pitch) * number * stretch
    frequencies = frequencies[frequencies < _HIGHEST * sample_rate]
    number = number[: frequencies.size]
    hammer = 0.3 + np.abs(np.sin(np.pi * number / 7.5))  # what has a node where it strikes stays weak
    softness = (0.15 + 0.35 * (1 - force)) / brightness * (1 + max(pitch - 48, 0) / 24)
    amplitudes = hammer * np.exp(-softness * (number - 1)) / number**0.5
    pace = float(2 ** ((pitch - 60) / 16))  # high strings die away sooner
    phases = rng.uniform(0, 2 * np.pi, number.size)
    decays = (0.5 + 0.04 * number) * pace  # 1/s
    sound = decaying_partials(frequencies, decays, _scaled(amplitudes, force), phases, n_samples, sample_rate)
    sound *= 0.3 + 0.7 * np.exp((-1 - 2.5 * pace) * np.arange(n_samples) / sample_rate)
    return _attacked(sound, 0.002 + 0.004 * (1 - force), sample_rate)


# Overtones of families of instruments: first and last General MIDI program, amplitudes, seconds of attack
_FAMILIES: Sequence[tuple[int, int, tuple[float, ...], float]] = (
    (41, 48, (1, 0.7, 0.55, 0.45, 0.35, 0.3, 0.22, 0.18, 0.12, 0.1, 0.07, 0.05), 0.035),  # strings
    (57, 64, (1, 0.8, 0.6, 0.4, 0.25, 0.15, 0.08, 0.04), 0.03),  # brass
    (71, 71, (0.6, 1, 0.8, 0.5, 0.3, 0.25, 0.12, 0.08), 0.025),  # bassoon
    (72, 72, (1, 0.05, 0.6, 0.06, 0.35, 0.08, 0.18, 0.05, 0.08), 0.025),  # clarinet: odd partials
    (73, 80, (1, 0.35, 0.12, 0.05, 0.02), 0.03),  # flutes
)


def _sustained(note: Played, n_samples: int, sample_rate: int, rng: np.random.Generator, brightness: float) -> Samples:
    """A bowed or blown note: harmonic partials that stay, and a slow swell of tremolo."""
    overtones, attack = next(
        ((amplitudes, attack) for first, last, amplitudes, attack in _FAMILIES if first <= note.program <= last),
        ((1, 0.5, 0.25, 0.12), 0.03),
    )
    force = note.velocity / 127
    number = np.arange(1, len(overtones) + 1)
    frequencies = frequency(note.pitch) * number.astype(np.float64)
    number = number[frequencies < _HIGHEST * sample_rate]
    frequencies = frequencies[: number.size]
    amplitudes = np.array(overtones[: number.size]) * (brightness * (0.6 + 0.4 * force)) ** (number - 1)
    phases = rng.uniform(0, 2 * np.pi, number.size)
    decays = np.full(number.size, 0.15)
    sound = decaying_partials(frequencies, decays, _scaled(amplitudes, force), phases, n_samples, sample_rate)
    rate, start = rng.uniform(4.5, 6), rng.uniform(0, 2 * np.pi)
    sound *= 1 + 0.12 * np.sin(2 * np.pi * rate * np.arange(n_samples) / sample_rate + start)
    return _attacked(sound, attack, sample_rate)


def _scaled(amplitudes: Samples, force: float) -> Samples:
    """To a root mean square at the onset that grows with the force: some 0.13 at the most."""
    return np.asarray(amplitudes * (0.18 * force**1.3 / np.sqrt(np.sum(amplitudes**2))))


def _attacked(sound: Samples, seconds: float, sample_rate: int) -> Samples:
    rise = min(sound.size, max(2, round(seconds * sample_rate)))
    sound[:rise] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(rise) / rise)
    return sound


def perform(
    notes: Sequence[Played],
    n_samples: int,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    brightness: float = 1.0,
    channels: int = 1,
) -> Samples:
    """All notes together, (n_samples, channels), below 0.9 of full scale.

    Two channels: low notes to the left, high ones to the right, as a pianist hears them.
    """
    mix = np.zeros((n_samples, channels))
    for note in notes:
        sound = tone(note, sample_rate, rng, brightness=brightness)[: n_samples - note.onset]
        right = np.clip((note.pitch - 21) / 87, 0, 1) * 0.6 + 0.2
        gains = np.array([1.0]) if channels == 1 else np.sqrt(2 * np.array([1 - right, right]))
        mix[note.onset : note.onset + sound.size] += sound[:, None] * gains
    peak = np.abs(mix).max(initial=0.0)
    return mix * min(1.0, 0.9 / peak) if peak else mix
