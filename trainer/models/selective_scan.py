"""The selective scan (Gu & Dao 2023, section 3): h[l] = exp(delta[l] A) h[l-1] + delta[l] B[l] u[l], y[l] = C[l] h[l].

* ``scan_last``: y at the last position only, in closed form. For a forecaster's last block, by default its only one.
* ``scan_parallel``: y at every position, by prefix sums with doubling (Hillis & Steele 1986), log2(length) steps. For
  all other blocks. It multiplies and never divides, so fast decay of a state cannot overflow.
* ``scan_kernel``: mamba-ssm's CUDA kernel, which replaces both if it is installed.

``tests/unit/trainer/test_mamba.py`` compares them with the step-by-step recurrence.

Shapes: b batch, l length, d channels (d_inner), n state size (d_state).
u, delta (b, l, d); A (d, n), negative; B, C (b, l, n); the result y (b, l, d), of ``scan_last`` (b, d).
The skip term D u and the gate are the caller's.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional


def scan_parallel(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """Prefix sums by doubling: y (b, l, d) after ceil(log2(l)) steps.

    After the step of width w, (decay, state)[k] is the composition of positions k-2w+1 .. k.
    """
    decay, state = _decay_and_drive(u, delta, A, B)  # (b, l, d, n)
    length, width = u.shape[1], 1
    while width < length:
        state = state + decay * _shift(state, width, 0.0)
        decay = decay * _shift(decay, width, 1.0)
        width *= 2
    return (state * C.unsqueeze(2)).sum(-1)


def scan_last(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """The last position: y (b, d) = sum over k of exp(A r[k]) delta[k] u[k] B[k] C[l].

    r[k], the sum of delta after k, is computed with a triangular matrix of ones: a difference of two running
    sums would lose digits to cancellation. A r[k] <= 0, so nothing overflows.
    """
    length = u.shape[1]
    after = torch.ones(length, length, dtype=u.dtype, device=u.device).triu(1)  # [k, j] = 1 where j > k
    remaining = after @ delta  # (b, l, d)
    decay = torch.exp(remaining.unsqueeze(-1) * A)  # (b, l, d, n)
    read = B * C[:, -1:]  # (b, l, n)
    weight = (decay * read.unsqueeze(2)).sum(-1)  # (b, l, d)
    return (weight * delta * u).sum(1)


def scan_kernel(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """mamba-ssm's fused CUDA kernel, which expects time as the last dimension: y (b, l, d)."""
    kernel = _kernel()
    if kernel is None:
        raise RuntimeError("mamba-ssm is not installed: pip install mamba-ssm (needs CUDA)")
    y = kernel(
        u.transpose(1, 2).contiguous(),
        delta.transpose(1, 2).contiguous(),
        A.contiguous(),
        B.transpose(1, 2).contiguous(),
        C.transpose(1, 2).contiguous(),
    )
    return y.transpose(1, 2)


def kernel_usable(u: Tensor) -> bool:
    """Whether the kernel can run on u: u is on CUDA, mamba-ssm is installed, and no graph is being exported."""
    return u.is_cuda and not torch.jit.is_tracing() and _kernel() is not None


def _decay_and_drive(u: Tensor, delta: Tensor, A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """exp(delta A) and delta B u, both (b, l, d, n): the paper's discretization (its equation 4), B by Euler."""
    decay = torch.exp(delta.unsqueeze(-1) * A)
    drive = (delta * u).unsqueeze(-1) * B.unsqueeze(2)
    return decay, drive


def _shift(values: Tensor, width: int, fill: float) -> Tensor:
    """Move (b, l, d, n) by ``width`` positions toward the end; ``fill`` enters at the beginning."""
    return functional.pad(values[:, :-width], (0, 0, 0, 0, width, 0), value=fill)


@cache
def _kernel() -> Callable[..., Tensor] | None:
    try:
        from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
    except ImportError:
        return None
    kernel: Callable[..., Tensor] = selective_scan_fn
    return kernel
