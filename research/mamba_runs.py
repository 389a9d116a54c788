"""Walk-forward runs of Mamba variants: sizes, schedules, losses, standardized sequences, averages of seeds.

    python -m research.mamba_runs BTCUSDT-1m-2026-03.zip BTCUSDT-1m-2026-04.zip              every variant, one seed
    python -m research.mamba_runs --only chosen --seeds 5 BTCUSDT-1m-2026-03.zip ...         one variant, five seeds

A variant takes one to four minutes per seed on one core. Each line has the scores of the exported forecast on the test
rows of the three folds. Averages of seeds are averages of log-odds.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from scipy.special import expit, logit
from torch import Tensor, nn
from torch.nn import functional

from candlecast.core.feature_names import FEATURES
from candlecast.core.windows import HORIZONS
from candlecast.trainer.data.dataset import Dataset
from candlecast.trainer.data.splits import Split
from candlecast.trainer.models.fit_mamba import (
    Loss,
    MambaData,
    MambaParameters,
    direction_loss,
    direction_loss_of,
    fit_mamba,
)
from candlecast.trainer.models.forecasting import forecast_mamba
from candlecast.trainer.models.mamba import MambaForecaster, MambaShape
from candlecast.trainer.models.training import fit_rows_normalization
from research.time_range import describe, read


class WithoutSkip(MambaForecaster):
    """No linear term of the last row: only the blocks use it."""

    def __init__(self, shape: MambaShape, magnitude: Tensor | None = None) -> None:
        super().__init__(shape, magnitude)
        self.skip.weight.requires_grad_(False)


class StandardizedSequence(MambaForecaster):
    """Each feature is standardized within its sequence. The linear term uses the original last row."""

    def log_odds(self, sequence: Tensor) -> Tensor:
        """Log-odds like those of MambaForecaster."""
        mean = sequence.mean(1, keepdim=True)
        deviation = sequence.std(1, keepdim=True) + 0.1
        x = self.input((sequence - mean) / deviation)
        for layer in self.layers[:-1]:
            x = layer(x)
        last = self.layers[-1](x, last_only=True)
        return self.head(self.dropout(self.norm(last))) + self.skip(sequence[:, -1])


class WithVolatility(MambaForecaster):
    """A second head learns log |scaled return|, the volatility of the next minutes."""

    def __init__(self, shape: MambaShape, magnitude: Tensor | None = None) -> None:
        super().__init__(shape, magnitude)
        self.volatility = nn.Linear(len(HORIZONS) + len(FEATURES), len(HORIZONS))


def with_returns(weight: float) -> Loss:
    """Loss of direction and return: cross-entropy plus ``weight`` times the Huber loss of scaled returns."""

    def loss_of(model: MambaForecaster, sequence: Tensor, scaled: Tensor) -> Tensor:
        log_odds = model.log_odds(sequence)
        forecast = torch.tanh(log_odds / 2) * model.magnitude
        return direction_loss(log_odds, scaled) + weight * functional.huber_loss(forecast, scaled)

    return loss_of


def with_volatility(weight: float) -> Loss:
    """Loss of direction, with the size of the return as an auxiliary target."""

    def loss_of(model: MambaForecaster, sequence: Tensor, scaled: Tensor) -> Tensor:
        assert isinstance(model, WithVolatility)
        log_odds = model.log_odds(sequence)
        size = model.volatility(torch.cat([log_odds, sequence[:, -1]], dim=-1))
        target = torch.log(scaled.abs() + 0.05)
        return direction_loss(log_odds, scaled) + weight * functional.huber_loss(size, target)

    return loss_of


def weighted_by_size(model: MambaForecaster, sequence: Tensor, scaled: Tensor) -> Tensor:
    """Cross-entropy with the weight min(|scaled return|, 2)."""
    weight = scaled.abs().clamp(max=2)
    loss = functional.binary_cross_entropy_with_logits(
        model.log_odds(sequence), (scaled > 0).float(), weight=weight, reduction="sum"
    )
    return loss / weight.sum().clamp(min=1e-6)


@dataclass(frozen=True)
class Variant:
    """Parameters, model class and loss."""

    parameters: MambaParameters = field(default_factory=MambaParameters)
    make_model: Callable[[MambaShape, Tensor], MambaForecaster] = MambaForecaster
    loss_of: Loss = direction_loss_of


def variants() -> dict[str, Variant]:
    """Variants by name. 'chosen' is the one of ``candlecast train``."""
    base = MambaParameters()

    def sized(**sizes: float) -> MambaParameters:
        return replace(base, shape=replace(base.shape, **sizes))  # type: ignore[arg-type]

    return {
        "chosen": Variant(),
        "without the skip": Variant(make_model=WithoutSkip),
        "sequence standardized": Variant(make_model=StandardizedSequence),
        "returns too, 0.1": Variant(loss_of=with_returns(0.1)),
        "returns too, 1": Variant(loss_of=with_returns(1.0)),
        "volatility too, 0.1": Variant(make_model=WithVolatility, loss_of=with_volatility(0.1)),
        "weighted by size": Variant(loss_of=weighted_by_size),
        "3 epochs": Variant(replace(base, epochs=3)),
        "1 epoch": Variant(replace(base, epochs=1)),
        "learning rate 5e-3": Variant(replace(base, learning_rate=5e-3)),
        "learning rate 1e-3": Variant(replace(base, learning_rate=1e-3)),
        "dropout 0": Variant(sized(dropout=0.0)),
        "dropout 0.4": Variant(sized(dropout=0.4)),
        "weight decay 0.1": Variant(replace(base, weight_decay=0.1)),
        "d_model 8": Variant(sized(d_model=8)),
        "d_model 24, d_state 8": Variant(sized(d_model=24, d_state=8)),
        "two layers": Variant(sized(layers=2)),
    }


def forecast(dataset: Dataset, splits: list[Split], variant: Variant, seed: int) -> np.ndarray:
    """Probabilities (test rows of all folds, 5)."""
    parts = []
    for split in splits:
        normalization = fit_rows_normalization(dataset, split.training)
        magnitude = np.abs(dataset.scaled[split.training]).mean(axis=0)
        fit = fit_mamba(
            MambaData(dataset, split.training, split.validation, normalization, magnitude),
            variant.parameters,
            seed,
            budget_seconds=3_600.0,
            make_model=variant.make_model,
            loss_of=variant.loss_of,
        )
        parts.append((forecast_mamba(fit.model, dataset, split.test, normalization) / magnitude + 1) / 2)
    return np.concatenate(parts)


def main() -> None:
    """Parse arguments, run, print one line per variant and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--only", action="append", choices=list(variants()))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save", type=Path, help="folder for the probabilities, one .npy per variant and seed")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    dataset, splits = read(arguments.files)
    returns = np.concatenate([dataset.returns[split.test] for split in splits])
    for name, variant in variants().items():
        if arguments.only and name not in arguments.only:
            continue
        members: list[np.ndarray] = []
        for seed in range(arguments.seeds):
            members.append(forecast(dataset, splits, variant, seed))
            print(describe(f"{name}, seed {seed}", members[-1], returns), flush=True)
            if arguments.save:
                arguments.save.mkdir(parents=True, exist_ok=True)
                np.save(arguments.save / f"{name.replace(' ', '-')}-{seed}.npy", members[-1])
            if seed:
                average = expit(logit(np.array(members)).mean(0))
                print(describe(f"{name}, average of {seed + 1}", average, returns), flush=True)


if __name__ == "__main__":
    main()
