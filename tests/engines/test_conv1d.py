"""The conv1d engine against direct sums, the fft engine, and what a trainable bank must do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bank_definition import BANKS, SAMPLE_RATE, constant_q, defined, edges, error, parts, run, signals

from specconv.engines import conv1d
from specconv.engines.conv1d import Conv1dBank
from specconv.kernels.bank import KernelBank

BOUND = 2e-6  # of the peak, float32


def small() -> KernelBank:
    lengths = np.array([64, 40, 21])
    return KernelBank(SAMPLE_RATE, np.array([300.0, 700.0, 2000.0]), lengths, -(lengths // 2), 2 / lengths)


@pytest.mark.parametrize("name", BANKS)
@pytest.mark.parametrize(("hop_length", "n"), [(512, 20_000), (256, 9_999), (97, 4_001), (441, 300), (1, 150)])
def test_every_bank_is_its_definition(name: str, hop_length: int, n: int) -> None:
    bank = BANKS[name]()
    waveform = signals(n)["noise"].float()
    expected = defined(bank, hop_length, waveform, "reflect")
    front, module = parts("conv1d", bank, hop_length, "reflect")
    assert error(run(front, module, waveform[None])[0], expected) < BOUND
    assert error(run(front, module, waveform.double()[None])[0], expected) < 1e-12


@pytest.mark.parametrize("kind", signals(1))
def test_both_engines_give_the_same_numbers(kind: str) -> None:
    bank, waveforms = constant_q(), signals(16_001)[kind].float()[None]
    slid = run(*parts("conv1d", bank, 160, "constant"), waveforms)
    folded = run(*parts("fft", bank, 160, "constant"), waveforms)
    assert (slid - folded).abs().max() <= 2e-5 * slid.abs().max()


def test_very_long_kernels_keep_their_digits() -> None:
    """27,000 products summed one after the other in float32 would be off by more."""
    bank = KernelBank(44100, np.array([55.0]), np.array([27_000]), np.array([-13_500]), np.array([2 / 27_000]))
    waveform = torch.randn(80_000)
    expected = defined(bank, 512, waveform, "constant")
    assert error(run(*parts("conv1d", bank, 512, "constant"), waveform[None])[0], expected) < BOUND


def test_tiles_do_not_change_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    front, module = parts("conv1d", edges(), 64, "reflect")
    waveforms = torch.randn(5, 9000)
    lengths = [9000, 4000, 9000, 650, 9000]
    whole = run(front, module, waveforms, lengths, whole=True)
    monkeypatch.setattr(conv1d, "TILE_SAMPLES", 3000)
    tiles = run(front, module, waveforms, lengths)
    assert (whole - tiles).abs().max() <= 1e-6 * whole.abs().max()
    alone = run(front, module, waveforms[3:4, :650])
    assert (whole[3:4, :, : alone.shape[-1]] - alone).abs().max() <= 1e-6 * alone.abs().max()


def test_gradients_in_waveform_and_kernels() -> None:
    module = Conv1dBank(small(), 16, trainable=True).double()
    front = module.front("reflect")
    waveforms = torch.randn(2, 120, dtype=torch.float64, requires_grad=True)

    def of(x: torch.Tensor, *kernels: torch.Tensor) -> torch.Tensor:
        block = next(iter(front.blocks(conv1d.Padded(x, None, "reflect"), range(8), whole=True)))
        state = {f"kernels.{i}": kernel for i, kernel in enumerate(kernels)}
        return torch.func.functional_call(module, state, (block.compute(),)).complex

    kernels = [k.detach().requires_grad_() for k in module.kernels]
    assert torch.autograd.gradcheck(of, (waveforms, *kernels))


def test_a_wrong_kernel_learns_the_right_one() -> None:
    """From the right magnitudes of noise, starting with kernels an eighth of an octave off."""
    right = small()
    wrong = KernelBank(SAMPLE_RATE, right.center_frequencies * 1.09, right.lengths, right.starts, right.gains)
    torch.manual_seed(0)
    module = Conv1dBank(wrong, 32, trainable=True)
    front, target = parts("conv1d", right, 32, "constant")
    noise = torch.randn(16, 2000)
    wanted = run(front, target, noise, form="magnitude")
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)

    def loss() -> torch.Tensor:
        return (run(front, module, noise, form="magnitude", whole=True) - wanted).square().mean()

    before = float(loss().detach())
    for _ in range(150):
        optimizer.zero_grad()
        (value := loss()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert float(value.detach()) < before / 50


def test_state_dict_holds_the_kernels_if_they_are_trainable() -> None:
    module = Conv1dBank(small(), 16, trainable=True)
    other = Conv1dBank(constant_q(3), 16, trainable=True)
    assert module.state_dict().keys() == {f"kernels.{i}" for i in range(len(module.kernels))}
    again = Conv1dBank(small(), 16, trainable=True)
    with torch.no_grad():
        for kernel in again.kernels:
            kernel.zero_()
    again.load_state_dict(module.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(again.kernels, module.kernels, strict=True))
    with pytest.raises(RuntimeError):
        other.load_state_dict(module.state_dict())
    assert not Conv1dBank(small(), 16).state_dict()
