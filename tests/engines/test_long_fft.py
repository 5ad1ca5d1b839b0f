"""The fft engine of banks against direct sums in float64, and against itself cut and batched otherwise."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from bank_definition import BANKS, SAMPLE_RATE, constant_q, defined, edges, error, parts, run, signals

from specconv.engines.fold_plan import DirectGroup, FoldedGroup
from specconv.engines.folded_bank import FoldedBank
from specconv.engines.front import Block
from specconv.engines.long_fft import LongSpectrum
from specconv.engines.padding import Padded
from specconv.kernels.bank import KernelBank

BOUND = 2e-5  # of the peak


@pytest.mark.parametrize("name", BANKS)
@pytest.mark.parametrize(("hop_length", "n"), [(512, 20_000), (256, 9_999), (97, 4_001), (441, 300), (1, 150)])
def test_every_bank_is_its_definition(name: str, hop_length: int, n: int) -> None:
    bank = BANKS[name]()
    waveform = signals(n)["noise"].float()
    front, module = parts("fft", bank, hop_length, "reflect")
    expected = defined(bank, hop_length, waveform, "reflect")
    assert error(run(front, module, waveform[None])[0], expected) < BOUND


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate"])
@pytest.mark.parametrize("kind", signals(1))
def test_every_signal_and_padding(kind: str, mode: str) -> None:
    bank = constant_q()
    waveform = signals(16_001)[kind]
    front, module = parts("fft", bank, 128, mode)  # type: ignore[arg-type]
    for dtype in (torch.float32, torch.float64):
        expected = defined(bank, 128, waveform.to(dtype), mode)  # type: ignore[arg-type]
        found = run(front, module, waveform.to(dtype)[None])[0]
        assert found.dtype == dtype.to_complex()
        if kind == "silence":
            assert not found.abs().any()
        else:
            assert error(found, expected) < BOUND


def test_forms_agree_with_the_complex_one() -> None:
    front, module = parts("fft", edges(), 64, "reflect")
    waveforms = torch.randn(3, 5000, dtype=torch.float64)
    values = run(front, module, waveforms)
    torch.testing.assert_close(run(front, module, waveforms, form="power"), values.abs() ** 2)
    torch.testing.assert_close(run(front, module, waveforms, form="magnitude"), values.abs())


def test_finer_tolerance_is_finer() -> None:
    bank, waveform = constant_q(24, 12, 60.0), signals(16_000)["noise"]
    expected = defined(bank, 64, waveform, "constant")
    errors = [
        error(run(LongSpectrum(64, "constant"), FoldedBank(bank, 64, tolerance), waveform[None])[0], expected)
        for tolerance in (1e-3, 1e-5, 1e-7)
    ]
    assert errors[0] < 3e-3
    assert errors[1] < 3e-5
    assert errors[2] < 1e-6


def test_a_tone_gives_its_own_bin_half_its_amplitude() -> None:
    """Gain 2/N of a Hann window of sum N/2: a cosine of amplitude a has a/2 on either side of 0 Hz."""
    bank = constant_q(36)
    t = torch.arange(16_000) / SAMPLE_RATE
    for k in (0, 17, 35):
        tone = 0.8 * torch.cos(2 * torch.pi * bank.center_frequencies[k] * t + 0.3)
        level = run(*parts("fft", bank, 100, "reflect"), tone[None], form="magnitude")[0, :, 80]
        assert int(level.argmax()) == k
        assert float(level[k]) == pytest.approx(0.4, rel=1e-3)


def test_an_impulse_shows_every_kernel() -> None:
    """x = delta at n0 gives conj(h_k[n0 - t·hop - start])."""
    bank, hop, at = edges(), 8, 4000
    waveform = torch.zeros(1, 8001, dtype=torch.float64)
    waveform[0, at] = 1.0
    found = run(*parts("fft", bank, hop, "constant"), waveform)[0].numpy()
    for k in range(bank.n_bins):
        kernel = bank.kernel(k)
        expected = np.zeros(found.shape[1], dtype=complex)
        for t in range(len(expected)):
            m = at - t * hop - int(bank.starts[k])
            if 0 <= m < len(kernel):
                expected[t] = np.conj(kernel[m])
        assert np.abs(found[k] - expected).max() < BOUND * np.abs(bank.kernel(k)).max()


def test_a_clip_has_its_numbers_in_any_company() -> None:
    """Alone, in a large batch, and beside clips of other lengths: coarse, so that another FFT would show."""
    front, module = LongSpectrum(160, "reflect"), FoldedBank(constant_q(60), 160, tolerance=1e-2)
    waveforms = torch.randn(300, 24_000)
    lengths = [24_000 if i % 7 else 5_000 + 311 * (i % 11) for i in range(300)]
    together = run(front, module, waveforms, lengths, form="magnitude")
    for i in (0, 1, 7, 150, 299):
        alone = run(front, module, waveforms[i : i + 1, : lengths[i]], form="magnitude")[0]
        own = together[i, :, : alone.shape[-1]]
        assert (own - alone).abs().max() <= 1e-6 * alone.max()


def _blocks(module: FoldedBank, waveform: torch.Tensor, frames: range) -> list[Block]:
    """Blocks of some frames from no more samples than the module says it needs."""
    n = waveform.shape[-1]
    front = LongSpectrum(module.hop_length, "reflect")
    samples = module.samples(frames, front.n_frames(n))
    start, stop = max(samples.start, 0), min(samples.stop, n)
    if samples.stop > n:  # a reflection at the end
        start = max(0, min(start, n - (samples.stop - n) - 1))
    if samples.start < 0:
        stop = min(n, max(stop, 1 - samples.start))
    window = Padded(waveform[:, start:stop], [n], "reflect", origin=start)
    return list(front.blocks(window, frames, whole=False))


def test_a_stream_has_the_numbers_of_the_whole() -> None:
    """Two reaches and therefore two block sizes, cut at frames that are on neither's grid."""
    hop = 512
    long, short = 40_000, 2_000
    bank = KernelBank(
        44100,
        np.array([80.0, 100.0, 3000.0]),
        np.array([long, long, short]),
        -np.array([long, long, short]) // 2,
        np.ones(3) / 1000,
    )
    waveform = torch.randn(1, 3_000_000)
    module = FoldedBank(bank, hop, tolerance=1e-3)
    assert len(module.grid(5860)) == 2
    whole = run(LongSpectrum(hop, "reflect"), module, waveform)
    n_frames = whole.shape[-1]
    found = torch.zeros_like(whole)
    for cut, following in ((0, 300), (300, 1024), (1024, 4097), (4097, n_frames)):
        for block in _blocks(module, waveform, range(cut, following)):
            found[:, :, block.frames] = module(block.compute()).complex
    assert (found - whole).abs().max() <= 1e-6 * whole.abs().max()
    whole = run(LongSpectrum(hop, "reflect"), FoldedBank(bank, hop), waveform)
    samples = waveform[0].double().numpy()
    for k in range(3):
        for t in (0, 255, 256, 511, 4095, 4096, n_frames - 1):
            first = t * hop + int(bank.starts[k])
            index = np.abs(np.arange(first, first + int(bank.lengths[k])))
            index = np.where(index >= len(samples), 2 * (len(samples) - 1) - index, index)
            exact = samples[index] @ bank.kernel(k).conj()
            assert abs(complex(whole[0, k, t]) - exact) < BOUND * float(whole.abs().max())


def test_grids_are_equal_for_all_long_recordings() -> None:
    module = FoldedBank(constant_q(), 512)
    assert module.grid(100_000) == module.grid(2**40)
    assert module.grid(100) != module.grid(2**40)


def test_gradient_in_the_waveform() -> None:
    bank = KernelBank(
        SAMPLE_RATE, np.array([100.0, 900.0, 3990.0]), np.array([490, 61, 8]), np.array([-245, -30, 0]), np.ones(3)
    )
    front, module = parts("fft", bank, 40, "reflect")
    groups = module.groups(10, torch.zeros(1, dtype=torch.float64))
    assert {type(group) for group in groups} == {FoldedGroup, DirectGroup}
    waveforms = torch.randn(2, 61, dtype=torch.float64, requires_grad=True)
    for form in ("complex", "power", "magnitude"):
        assert torch.autograd.gradcheck(
            lambda x, form=form: run(front, module, x, [61, 30], form, whole=True), waveforms
        )


def test_gradient_at_silence_is_zero_not_nan() -> None:
    waveforms = torch.zeros(1, 3000, requires_grad=True)
    run(*parts("fft", constant_q(), 128, "constant"), waveforms, form="magnitude", whole=True).sum().backward()
    assert waveforms.grad is not None
    assert not waveforms.grad.any()


def test_with_and_without_gradient_are_the_same_numbers() -> None:
    front, module = parts("fft", edges(), 50, "reflect")
    waveforms = torch.randn(2, 4000)
    tracked = run(front, module, waveforms.clone().requires_grad_(), [4000, 1000], "magnitude", whole=True)
    plain = run(front, module, waveforms, [4000, 1000], "magnitude")
    assert (tracked[0] - plain[0]).abs().max() <= 1e-6 * plain.max()
    assert (tracked[1, :, :21] - plain[1, :, :21]).abs().max() <= 1e-6 * plain.max()


def test_short_kernels_are_multiplied_and_long_ones_folded() -> None:
    made = FoldedBank(constant_q(60, f_min=100.0), 512).groups(100, torch.zeros(1))
    assert isinstance(made[0], FoldedGroup)
    assert isinstance(made[-1], DirectGroup)
    bins = [k for group in made for k in range(group.bins.start, group.bins.stop)]
    assert bins == list(range(60))


def test_a_bank_can_be_sent_to_another_process() -> None:
    front, module = parts("fft", edges(), 64, "constant")
    waveforms = torch.randn(1, 3000)
    expected = run(front, module, waveforms)
    written = pickle.dumps(module)
    assert len(written) < 10_000
    sent = pickle.loads(written)
    assert torch.equal(run(front, sent, waveforms), expected)
    assert not list(module.parameters())


MEMORY = """
import resource, sys, torch
sys.path.insert(0, {folder!r})
from bank_definition import constant_q, parts, run
front, module = parts("fft", constant_q(84, 24, 55.0), 512, "reflect")
waveforms = torch.randn(600, 80_000)
run(front, module, waveforms[:2], form="magnitude")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
out = run(front, module, waveforms, form="magnitude")
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) * 1024 - out.numel() * 4)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux")
def test_peak_memory_beyond_input_and_output_is_bounded(request: pytest.FixtureRequest) -> None:
    script = MEMORY.format(folder=str(request.path.parent))
    extra = int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
    assert extra < 256e6
