"""Kernels: one output bin's analysis filter each, and the weights over bins, as float64 arrays without torch.

bank: what a bank of kernels is. spectrum: what a kernel is in frequency, without an FFT of it.
windows, band: what kernels are made of.
fourier, constant_q, gammatone: banks by their definitions; constant_q_parity: as other libraries have them.
mel, gammatone, cepstrum, cfp: weights over the bins of a spectrum.
"""
