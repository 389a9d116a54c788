"""Fits a ``MambaForecaster``: binary cross-entropy of the directions of all five horizons together.

Absolute error of scaled returns was not better within March 2026 (docs/explanation/decisions.md, D36), and the product
is measured by direction accuracy. The epoch with the lowest validation loss is kept; later epochs than the second or
third overfit. Each batch is normalized when it is drawn, so memory never holds a whole epoch.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from candlecast.core.normalization import Normalization, normalize
from candlecast.trainer.data.dataset import Dataset, normalize_windows
from candlecast.trainer.models.mamba import MambaForecaster, MambaShape, parameter_groups

EVALUATION_BATCH = 256
#: Batches to time before the number of batches that fit into the budget is computed.
MEASURED_BATCHES = 20
#: Share of the budget for training batches. The rest is for validation.
TRAINING_SHARE = 0.85


@dataclass(frozen=True)
class MambaParameters:
    """Sizes and schedule. ``stride`` n uses every n-th window, with a new offset in each epoch."""

    shape: MambaShape = field(default_factory=MambaShape)
    epochs: int = 2
    stride: int = 1
    batch: int = 256
    learning_rate: float = 2e-3
    warm_up: float = 0.15
    weight_decay: float = 0.01
    gradient_norm: float = 1.0


#: (model, normalized rows (b, 60, features), scaled returns (b, 5)) -> the loss of a batch.
Loss = Callable[[MambaForecaster, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class MambaFit:
    """The fitted model, on the CPU and in evaluation mode, and its training results."""

    model: MambaForecaster
    validation_losses: list[float]
    best_epoch: int
    stopped_by_budget: bool
    seconds: float
    seed: int


@dataclass(frozen=True)
class MambaData:
    """Training data of a member: windows of a dataset, ``training`` and ``validation`` positions into its ends.

    magnitude (5,) is the mean |scaled return| on training rows.
    """

    dataset: Dataset
    training: np.ndarray
    validation: np.ndarray
    normalization: Normalization
    magnitude: np.ndarray


def fit_mamba(
    data: MambaData,
    parameters: MambaParameters,
    seed: int,
    budget_seconds: float,
    on_step: Callable[[int, int, str], None] | None = None,
    make_model: Callable[[MambaShape, Tensor], MambaForecaster] = MambaForecaster,
    loss_of: Loss | None = None,
) -> MambaFit:
    """Train on the training windows and keep the epoch that is best on the validation windows.

    ``on_step(done, total, note)`` is called after each batch. If the planned epochs do not fit into
    ``budget_seconds``, fewer batches are planned and the learning rate decays earlier. If they fit, the same seed
    gives the same model on a CPU. ``make_model`` and ``loss_of`` are for experiments (research/mamba_runs.py). The best
    epoch is always chosen by the direction loss.
    """
    started = time.monotonic()
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = make_model(parameters.shape, torch.tensor(data.magnitude, dtype=torch.float32)).to(device)
    batches = max(1, len(data.training) // parameters.stride // parameters.batch)
    plan = _Plan(batches * parameters.epochs, budget_seconds)
    train_step = _make_step(model, parameters, plan, loss_of or direction_loss_of)
    best_loss, best_state, best_epoch = float("inf"), copy.deepcopy(model.state_dict()), 0
    losses: list[float] = []
    done, note = 0, ""
    for epoch in range(1, parameters.epochs + 1):
        model.train()
        for chosen in _batches(data.training, parameters, batches, random):
            train_step(*_batch(data, chosen, device))
            done += 1
            if on_step is not None:
                on_step(done, plan.batches, note)
            if plan.ends_at(done):
                break
        losses.append(_validation_loss(model, data, device))
        note = f"epoch {epoch}: validation loss {losses[-1]:.5f}"
        if losses[-1] < best_loss:
            best_loss, best_state, best_epoch = losses[-1], copy.deepcopy(model.state_dict()), epoch
        if plan.ended:
            break
    model.load_state_dict(best_state)
    stopped = done < batches * parameters.epochs
    return MambaFit(model.cpu().eval(), losses, best_epoch, stopped, time.monotonic() - started, seed)


class _Plan:
    """The number of batches to train: the requested number, or fewer if the budget ends earlier."""

    def __init__(self, batches: int, budget_seconds: float) -> None:
        self.batches = batches
        self.ended = False
        self._budget = budget_seconds
        self._started = time.monotonic()

    def ends_at(self, done: int) -> bool:
        """Whether the batch number ``done`` is the last one. Updates the plan once the speed is measured."""
        elapsed = time.monotonic() - self._started
        if done == MEASURED_BATCHES:
            self.batches = min(self.batches, max(done, int(TRAINING_SHARE * self._budget * done / elapsed)))
        self.ended = done >= self.batches or elapsed > self._budget
        return self.ended


def _rise_and_fall(progress: float, warm_up: float) -> float:
    """Factor of the learning rate at a share of the training: linear warm-up, then cosine decay (Smith 2018)."""
    if progress < warm_up:
        return progress / warm_up
    return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (progress - warm_up) / (1 - warm_up)))


def _make_step(
    model: MambaForecaster, parameters: MambaParameters, plan: _Plan, loss_of: Loss
) -> Callable[[Tensor, Tensor], None]:
    """One step of AdamW on a batch. Its learning rate follows the plan, even if the plan gets shorter."""
    optimizer = torch.optim.AdamW(parameter_groups(model, parameters.weight_decay), lr=parameters.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: _rise_and_fall((step + 1) / (plan.batches + 1), parameters.warm_up)
    )

    def train_step(sequence: Tensor, scaled: Tensor) -> None:
        loss = loss_of(model, sequence, scaled)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), parameters.gradient_norm)
        optimizer.step()
        schedule.step()

    return train_step


def _batch(data: MambaData, chosen: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Normalized windows (b, 60, features) and scaled returns (b, 5)."""
    windows = normalize(data.dataset.windows(chosen), data.normalization)
    return _tensor(windows, device), _tensor(data.dataset.scaled[chosen], device)


def _batches(
    training: np.ndarray, parameters: MambaParameters, batches: int, random: np.random.Generator
) -> list[np.ndarray]:
    """One epoch: every stride-th window from a random offset, shuffled, in full batches."""
    offset = random.integers(parameters.stride)
    order = random.permutation(training[offset :: parameters.stride])
    size = parameters.batch
    return [order[start : start + size] for start in range(0, batches * size, size)]


def direction_loss_of(model: MambaForecaster, sequence: Tensor, scaled: Tensor) -> Tensor:
    """The training loss: normalized rows (b, 60, features) and scaled returns (b, 5) -> mean loss."""
    return direction_loss(model.log_odds(sequence), scaled)


def direction_loss(log_odds: Tensor, scaled: Tensor) -> Tensor:
    """Mean cross-entropy of the direction, (b, 5) each. A return of 0 has no direction and has the weight 0."""
    moved = (scaled != 0).to(log_odds.dtype)
    total = functional.binary_cross_entropy_with_logits(
        log_odds, (scaled > 0).to(log_odds.dtype), weight=moved, reduction="sum"
    )
    return total / moved.sum().clamp(min=1)


def _validation_loss(model: MambaForecaster, data: MambaData, device: torch.device) -> float:
    model.eval()
    with torch.inference_mode():
        parts = [
            model.log_odds(_tensor(rows, device))
            for rows in normalize_windows(data.dataset, data.validation, data.normalization, EVALUATION_BATCH)
        ]
        return float(direction_loss(torch.cat(parts), _tensor(data.dataset.scaled[data.validation], device)))


def _tensor(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(values.astype(np.float32, copy=False)).to(device)
