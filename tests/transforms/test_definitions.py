"""Every transform, by both engines, against its definition written out in float64."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from specconv.errors import ParameterError
from specconv.transforms import TransformSet, build_transform
from specconv.transforms.bank import BankParameters
from specconv.transforms.streaming import shortest_stream, stream

RATE = 16_000
CASES: Mapping[str, Mapping[str, Any]] = {
    "stft": {"type": "stft", "n_fft": 512, "hop_length": 128},
    "odd stft": {"type": "stft", "n_fft": 511, "win_length": 401, "hop_length": 99, "scale": "complex"},
    "uncentred stft": {"type": "stft", "n_fft": 512, "hop_length": 200, "center": False, "scale": "power"},
    "constant stft": {"type": "stft", "n_fft": 256, "pad_mode": "constant", "window": "hamming"},
    "log stft": {"type": "stft", "n_fft": 512, "freq_scale": "log", "f_min": 50.0, "hop_length": 160},
    "linear stft": {"type": "stft", "n_fft": 500, "freq_scale": "linear", "f_min": 100.0, "f_max": 900.0, "n_bins": 33},
    "mel": {"type": "mel", "n_fft": 512, "n_mels": 40},
    "mel of magnitudes": {"type": "mel", "n_fft": 512, "n_mels": 40, "scale": "magnitude", "mel_scale": "htk"},
    "gammatonegram": {"type": "gammatonegram", "n_fft": 512, "n_bins": 32},
    "cqt": {"type": "cqt", "f_min": 110.0, "n_bins": 48, "hop_length": 256},
    "complex cqt": {"type": "cqt", "f_min": 200.0, "n_bins": 36, "hop_length": 251, "scale": "complex"},
    "vqt": {"type": "vqt", "f_min": 110.0, "n_bins": 48, "hop_length": 300, "pad_mode": "reflect"},
    "gammatone": {"type": "gammatone", "n_bins": 24, "f_min": 60.0, "hop_length": 200},
}
TIME = np.arange(9000) / RATE
SIGNALS: Mapping[str, np.ndarray[Any, Any]] = {
    "noise": np.random.default_rng(0).uniform(-1, 1, len(TIME)),
    "sweep": np.sin(2 * np.pi * (50 * TIME + 6000 * TIME**2)),
    "impulse": np.eye(1, len(TIME), 4321)[0],
    "square": np.sign(np.sin(2 * np.pi * 220 * TIME)),
}


def definition(case: Mapping[str, Any], signal: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The transform of one clip by sums over its samples, in float64 and without any of the engines."""
    transform = build_transform(case, RATE)
    parameters: Any = transform.parameters_given
    mode = "reflect" if parameters.pad_mode == "reflect" else "constant"
    margin = 40_000
    padded = np.pad(signal, margin, mode=mode)
    frames = range(transform.n_frames(len(signal)))
    if isinstance(parameters, BankParameters):
        bank, hop = parameters.bank(RATE), parameters.hop_length
        kernels = [(int(bank.starts[k]) + margin, bank.kernel(k).conj()) for k in range(bank.n_bins)]
        values = np.array([[np.dot(padded[t * hop + s : t * hop + s + len(h)], h) for t in frames] for s, h in kernels])
    else:
        framing, n_fft = parameters.framing, parameters.n_fft
        m = np.arange(framing.win_length)
        cosine = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46)}[parameters.window]
        window = np.zeros(n_fft)
        first = (n_fft - framing.win_length) // 2
        window[first : first + len(m)] = cosine[0] - cosine[1] * np.cos(2 * np.pi * m / len(m))
        left = margin - (n_fft // 2 if parameters.center else 0)
        cut = np.array([padded[left + t * framing.hop_length :][:n_fft] * window for t in frames])
        spaced = parameters.type == "stft" and parameters.freq_scale != "uniform"
        hertz = transform.center_frequencies if spaced else np.arange(n_fft // 2 + 1) * RATE / n_fft
        values = np.exp(-2j * np.pi * np.outer(hertz, np.arange(n_fft)) / RATE) @ cut.T
        if parameters.type in ("mel", "gammatonegram"):
            weights = transform.finish[0]._dense.like(torch.zeros(1, dtype=torch.float64)).numpy()
            exponent = 1 if parameters.scale == "magnitude" else 2
            return weights @ np.abs(values) ** exponent
    return {"complex": values, "power": np.abs(values) ** 2}.get(parameters.scale, np.abs(values))


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("name", CASES)
def test_both_engines_compute_the_definition(name: str, signal: str) -> None:
    case, waveform = CASES[name], SIGNALS[signal]
    expected = torch.from_numpy(definition(case, waveform))
    for engine, bound in (("fft", 2e-5), ("conv1d", 2e-6 if case.get("scale") != "power" else 4e-6)):
        found = build_transform(case, RATE, engine=engine)(torch.from_numpy(waveform).float()[None])[0]
        assert found.shape == expected.shape
        assert float((found - expected).abs().max()) <= bound * float(expected.abs().max()), engine


@pytest.mark.parametrize("engine", ["fft", "conv1d"])
@pytest.mark.parametrize("name", CASES)
def test_silence_and_a_single_sample_are_finite(name: str, engine: Any) -> None:
    for scale in ("decibel", "log") if CASES[name].get("scale") != "complex" else ("phase",):
        transform = build_transform({**CASES[name], "scale": scale, "center": True}, RATE, engine=engine) if (
            "n_fft" in CASES[name]
        ) else build_transform({**CASES[name], "scale": scale}, RATE, engine=engine)  # fmt: skip
        assert transform(torch.zeros(2, 5000)).isfinite().all()
        assert transform(torch.full((1, 1), 0.5)).isfinite().all()


@pytest.mark.parametrize("name", CASES)
def test_a_clip_does_not_depend_on_its_batch(name: str) -> None:
    transform = build_transform(CASES[name], RATE)
    lengths = [9000, 5000, 1200]
    waveforms = torch.randn(3, 9000, generator=torch.Generator().manual_seed(1))
    together = transform(waveforms, lengths)
    for row, n in enumerate(lengths):
        alone = transform(waveforms[row, :n])
        peak = alone.abs().max()
        assert (together[row, :, : alone.shape[1]] - alone).abs().max() <= 1e-6 * peak
        assert not together[row, :, alone.shape[1] :].any()


@pytest.mark.parametrize("name", CASES)
def test_a_stream_has_the_numbers_of_the_whole(name: str, tmp_path: Path) -> None:
    transform = build_transform(CASES[name], RATE)
    waveform = torch.randn(max(30_000, shortest_stream([transform])), generator=torch.Generator().manual_seed(2))
    whole = transform(waveform)
    for size in (4_001, 17_000):
        parts = [part[transform.name] for part in stream([transform], waveform.split(size), tmp_path)]
        torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-6 * float(whole.abs().max()), rtol=0)


def test_a_set_computes_the_same_as_one_by_one_with_fewer_ffts(monkeypatch: pytest.MonkeyPatch) -> None:
    transforms = [build_transform({**CASES[name], "name": name.replace(" ", "-")}, RATE) for name in CASES]
    more = [build_transform({"type": "mel", "n_fft": 512, "n_mels": n, "name": f"mel-{n}"}, RATE) for n in (20, 30)]
    waveforms = torch.randn(2, 9000)
    calls = 0
    rfft = torch.fft.rfft

    def counted(*args: Any, **kwargs: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return rfft(*args, **kwargs)

    monkeypatch.setattr(torch.fft, "rfft", counted)
    alone = {t.name: t(waveforms) for t in (*transforms, *more)}
    one_by_one, calls = calls, 0
    together = TransformSet([*transforms, *more])(waveforms)
    assert list(together) == list(alone)
    for name, values in alone.items():
        assert torch.equal(together[name], values), name
    assert calls < one_by_one - 3


def test_two_of_a_name_are_refused() -> None:
    with pytest.raises(ParameterError, match="names several"):
        TransformSet([build_transform({"type": "mel"}, RATE), build_transform({"type": "mel"}, RATE)])


@pytest.mark.parametrize("name", CASES)
def test_kernels_and_waveforms_have_gradients(name: str) -> None:
    transform = build_transform(CASES[name], RATE, trainable=True)
    assert list(transform.parameters())
    waveforms = torch.cat([torch.randn(1, 3000), torch.zeros(1, 3000)]).requires_grad_()
    loss = transform(waveforms).abs().sum()
    loss.backward()
    assert waveforms.grad is not None
    assert waveforms.grad.isfinite().all()
    for parameter in transform.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


@pytest.mark.parametrize("name", ["stft", "mel", "cqt", "log stft"])
def test_the_fft_engine_has_conv1ds_gradient(name: str) -> None:
    waveforms = torch.randn(1, 3000, dtype=torch.float64)
    gradients = []
    for engine in ("fft", "conv1d"):
        leaf = waveforms.clone().requires_grad_()
        (build_transform(CASES[name], RATE, engine=engine)(leaf) ** 2).sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=1e-4 * float(gradients[1].abs().max()))


def test_a_wrong_kernel_learns_the_right_one() -> None:
    given = {"type": "stft", "n_fft": 16, "hop_length": 4, "scale": "complex"}
    target, learner = build_transform(given, RATE), build_transform(given, RATE, trainable=True)
    with torch.no_grad():
        for kernel in learner.parameters():
            kernel.add_(0.2 * torch.randn(kernel.shape, generator=torch.Generator().manual_seed(3)))
    waveforms = torch.randn(64, 200, generator=torch.Generator().manual_seed(4))
    optimizer = torch.optim.Adam(learner.parameters(), 0.02)
    losses = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = (learner(waveforms) - target(waveforms)).abs().square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 1e-3 * losses[0]


@pytest.mark.parametrize("trainable", [False, True])
def test_state_copies_and_pickles_keep_the_numbers(trainable: bool) -> None:
    waveforms = torch.randn(1, 4000)
    for name in ("mel", "cqt"):
        transform = build_transform(CASES[name], RATE, trainable=trainable)
        other = build_transform(CASES[name], RATE, trainable=trainable)
        other.load_state_dict(transform.state_dict())
        for twin in (other, copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))):
            assert torch.equal(twin(waveforms), transform(waveforms))


def test_a_sine_stands_in_its_bin_at_its_height() -> None:
    sine = torch.sin(2 * torch.pi * 1000 * torch.arange(RATE) / RATE)
    stft = build_transform({"type": "stft", "n_fft": 512}, RATE)
    middle = stft(sine)[:, 30]
    assert int(middle.argmax()) == 32
    assert float(middle.max()) == pytest.approx(512 / 4, rel=1e-3)  # amplitude / 2 times the Hann window's sum
    cqt = build_transform({"type": "cqt", "f_min": 250.0, "n_bins": 48, "gain": "wrap"}, RATE)
    middle = cqt(sine)[:, 15]
    assert int(middle.argmax()) == 24
    assert float(middle.max()) == pytest.approx(1.0, rel=1e-2)


@pytest.mark.parametrize(
    ("waveforms", "told"),
    [
        (torch.zeros(2, 100, dtype=torch.int16), "int16"),
        (torch.zeros(0, 100), "shape"),
        (torch.zeros(2, 2, 9), "shape"),
    ],
)
def test_what_is_no_batch_of_waveforms_is_refused(waveforms: torch.Tensor, told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        build_transform({"type": "mel", "n_fft": 64, "n_mels": 4}, RATE)(waveforms)


def test_half_precision_is_computed_in_float32() -> None:
    transform = build_transform({"type": "mel", "n_fft": 512}, RATE)
    assert transform(torch.randn(1, 4000, dtype=torch.bfloat16)).dtype == torch.float32


def test_trained_kernels_cannot_be_those_of_the_fft() -> None:
    with pytest.raises(ParameterError, match="fixed kernels"):
        build_transform({"type": "cqt", "engine": "fft"}, 44100, trainable=True)
