"""What ``import specconv`` offers for specgrams and back."""

from __future__ import annotations

import subprocess
import sys

import torch

import specconv


def test_a_waveform_there_and_back_by_public_names() -> None:
    stft = specconv.build_transform({"type": "stft", "n_fft": 512, "scale": "complex"}, sample_rate=16000)
    waveforms = torch.rand(2, 4000) * 2 - 1
    back = specconv.build_inverse(stft)(stft(waveforms), length=4000)
    torch.testing.assert_close(back, waveforms, rtol=0, atol=1e-5)


def test_every_name_is_there_and_none_is_loaded_before_its_use() -> None:
    assert all(hasattr(specconv, name) for name in specconv.__all__)
    script = "import sys, specconv; print('torch' in sys.modules, 'build_inverse' in specconv.__all__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
