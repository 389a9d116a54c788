"""The Mamba forecaster in plain PyTorch: 60 normalized feature rows in, five scaled returns out.

The block has the parameter names, shapes and initialization of mamba-ssm, so their weights are interchangeable
(``state_dict`` of ``mamba_ssm.modules.mamba_simple.Mamba``). Based on mamba-minimal (John Ma) and
"Mamba: Linear-Time Sequence Modeling with Selective State Spaces" (Gu & Dao 2023, arXiv:2312.00752).

Glossary (left: here and in mamba-ssm; right: the paper)
    b                 batch                                B in section 2 and Algorithm 2
    l                 sequence length, 60                  L
    d_model           width of the residual stream         D in Algorithm 2's caller, section 3.4
    d_inner           expand * d_model                     E D, with E = expand
    d_state, n        size of a channel's state            N
    dt_rank           rank of delta's projection           R in section 3.6
    A, B, C, D        state-space parameters               equation 1; D is the skip
    delta, dt         step size, input-dependent           the triangle, Algorithm 2

Left out: convolution and state caches for step-wise generation, bfloat16, bidirectional use.
Only the last position is used, so the last block computes only the scan's last state.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from candlecast.core.feature_names import FEATURES
from candlecast.core.windows import HORIZONS
from candlecast.trainer.models.selective_scan import kernel_usable, scan_kernel, scan_last, scan_parallel


@dataclass(frozen=True)
class MambaShape:
    """Sizes of a forecaster. The defaults train on two cores in minutes."""

    d_model: int = 16
    d_state: int = 4
    layers: int = 1
    expand: int = 2
    d_conv: int = 4
    dropout: float = 0.2

    @property
    def d_inner(self) -> int:
        """Channels of a block."""
        return self.expand * self.d_model

    @property
    def dt_rank(self) -> int:
        """ceil(d_model / 16), as in mamba-ssm."""
        return math.ceil(self.d_model / 16)


class MambaForecaster(nn.Module):
    """Residual Mamba blocks over a sequence. The output is taken at the last position.

    The head gives the log-odds that each horizon's return is positive. A linear function of the last row is added,
    because most of the signal is linear in it (docs/explanation/experiments.md). ``forward`` maps log-odds to scaled
    returns like LightGBM's probabilities, (2p - 1) * c_h = tanh(log-odds / 2) * c_h, with c_h = mean |scaled return|
    on training rows in ``magnitude``.
    """

    magnitude: Tensor

    def __init__(self, shape: MambaShape, magnitude: Tensor | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.input = nn.Linear(len(FEATURES), shape.d_model)
        self.layers = nn.ModuleList([ResidualBlock(shape) for _ in range(shape.layers)])
        self.norm = RMSNorm(shape.d_model)
        self.dropout = nn.Dropout(shape.dropout)
        self.head = nn.Linear(shape.d_model, len(HORIZONS))
        self.skip = nn.Linear(len(FEATURES), len(HORIZONS), bias=False)
        for start in (self.head.weight, self.head.bias, self.skip.weight):
            nn.init.zeros_(start)  # start at p = 0.5, the base rate of a direction
        self.register_buffer("magnitude", torch.ones(len(HORIZONS)) if magnitude is None else magnitude)

    def forward(self, sequence: Tensor) -> Tensor:
        """Normalized rows (b, 60, features) -> scaled returns (b, 5)."""
        return torch.tanh(self.log_odds(sequence) / 2) * self.magnitude

    def log_odds(self, sequence: Tensor) -> Tensor:
        """Normalized rows (b, 60, features) -> log-odds of a positive return (b, 5), the input of the loss."""
        x = self.input(sequence)  # (b, l, d_model)
        for layer in self.layers[:-1]:
            x = layer(x)
        last = self.layers[-1](x, last_only=True)  # (b, d_model)
        log_odds: Tensor = self.head(self.dropout(self.norm(last))) + self.skip(sequence[:, -1])
        return log_odds


class MambaAverage(nn.Module):
    """The mean log-odds of several forecasters, fitted with different seeds.

    Averaging reduces the randomness of batch order and initial weights (Lakshminarayanan et al. 2017). As one module it
    is exported as one graph.
    """

    magnitude: Tensor

    def __init__(self, members: Sequence[MambaForecaster]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.register_buffer("magnitude", members[0].magnitude.clone())

    def forward(self, sequence: Tensor) -> Tensor:
        """Normalized rows (b, 60, features) -> scaled returns (b, 5)."""
        return torch.tanh(self.log_odds(sequence) / 2) * self.magnitude

    def log_odds(self, sequence: Tensor) -> Tensor:
        """Normalized rows (b, 60, features) -> mean log-odds of a positive return (b, 5)."""
        return torch.stack([member.log_odds(sequence) for member in self._members()]).mean(0)

    def _members(self) -> list[MambaForecaster]:
        return cast("list[MambaForecaster]", list(self.members))


class ResidualBlock(nn.Module):
    """x + mixer(norm(x)), the pre-norm residual block of section 3.4."""

    def __init__(self, shape: MambaShape) -> None:
        super().__init__()
        self.norm = RMSNorm(shape.d_model)
        self.mixer = MambaBlock(shape)

    def forward(self, x: Tensor, last_only: bool = False) -> Tensor:
        """(b, l, d_model) -> (b, l, d_model), or (b, d_model) at the last position."""
        residual = x[:, -1] if last_only else x
        mixed: Tensor = self.mixer(self.norm(x), last_only)
        return residual + mixed


class MambaBlock(nn.Module):
    """The selective state-space block: figure 3 of the paper, parameters as in mamba-ssm."""

    def __init__(self, shape: MambaShape) -> None:
        super().__init__()
        d_inner, self.d_state, self.dt_rank = shape.d_inner, shape.d_state, shape.dt_rank
        self.in_proj = nn.Linear(shape.d_model, 2 * d_inner, bias=False)
        self.conv1d = nn.Conv1d(d_inner, d_inner, kernel_size=shape.d_conv, groups=d_inner, padding=shape.d_conv - 1)
        self.x_proj = nn.Linear(d_inner, self.dt_rank + 2 * self.d_state, bias=False)
        self.dt_proj = nn.Linear(self.dt_rank, d_inner)
        states = torch.arange(1, self.d_state + 1, dtype=torch.float32)
        self.A_log = nn.Parameter(torch.log(states).repeat(d_inner, 1))  # (d_inner, n): S4D-real, section 3.6
        self.D = nn.Parameter(torch.ones(d_inner))
        self.out_proj = nn.Linear(d_inner, shape.d_model, bias=False)
        _initialize_step_size(self.dt_proj, self.dt_rank)
        with torch.no_grad():  # mamba-ssm's prenorm rescaling: keeps the variance of the residual stream
            self.out_proj.weight /= math.sqrt(shape.layers)

    def forward(self, x: Tensor, last_only: bool = False) -> Tensor:
        """(b, l, d_model) -> (b, l, d_model), or (b, d_model) at the last position."""
        length = x.shape[1]
        u, gate = self.in_proj(x).chunk(2, dim=-1)  # (b, l, d_inner) each
        u = self.conv1d(u.transpose(1, 2))[:, :, :length].transpose(1, 2)  # causal: cuts the end of the padding
        u = functional.silu(u)
        dt, B, C = self.x_proj(u).split([self.dt_rank, self.d_state, self.d_state], dim=-1)
        delta = functional.softplus(self.dt_proj(dt))  # (b, l, d_inner)
        A = -torch.exp(self.A_log)  # (d_inner, n)
        if last_only:
            u_last, gate = u[:, -1], gate[:, -1]
            y = scan_kernel(u, delta, A, B, C)[:, -1] if kernel_usable(u) else scan_last(u, delta, A, B, C)
            y = y + u_last * self.D
        else:
            scan = scan_kernel if kernel_usable(u) else scan_parallel
            y = scan(u, delta, A, B, C) + u * self.D
        mixed: Tensor = self.out_proj(y * functional.silu(gate))
        return mixed


class RMSNorm(nn.Module):
    """x / rms(x) * weight (Zhang & Sennrich 2019), in basic operations that every exporter supports."""

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Parameters for AdamW: no weight decay on A_log and D (as in mamba-ssm), biases and norms."""
    decayed: list[nn.Parameter] = []
    not_decayed: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_excluded = name.endswith(("A_log", ".D", "bias")) or parameter.ndim < 2
        (not_decayed if is_excluded else decayed).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": not_decayed, "weight_decay": 0.0},
    ]


def _initialize_step_size(
    dt_proj: nn.Linear, dt_rank: int, dt_min: float = 1e-3, dt_max: float = 0.1, floor: float = 1e-4
) -> None:
    """softplus(bias) log-uniform in [dt_min, dt_max], variance-preserving weights, as in mamba-ssm's ``__init__``."""
    with torch.no_grad():
        nn.init.uniform_(dt_proj.weight, -(dt_rank**-0.5), dt_rank**-0.5)
        low, high = math.log(dt_min), math.log(dt_max)
        dt = torch.exp(torch.rand(dt_proj.out_features) * (high - low) + low).clamp(min=floor)
        dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))  # the inverse of softplus
