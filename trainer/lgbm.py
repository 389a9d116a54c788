"""LightGBM, a model for each horizon: will the return be positive? And its ONNX twin, leaf for leaf.

Input is the last normalised row (float32), output the probability of a positive return; ``facts.json``
maps it to a scaled return with (2p - 1) * c_h. The logistic objective won over absolute error, Huber
and least squares inside March 2026 (DECISIONS.md).

ONNX compares float32, LightGBM float64. For a float32 input x, x <= t holds exactly where
x <= (the largest float32 not above t), so thresholds are rounded toward minus infinity before
onnxmltools, which rounds to nearest, converts the trees: every row then reaches the same leaf. (LightGBM
reads 0 < |x| <= 1e-35 as 0, ONNX does not; a difference of two float64 numbers near 1 is never that small.)
"""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import lightgbm
import numpy as np
import onnx
from onnx import TensorProto, helper
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from candlecast.features import FEATURES

#: What Debian 12's and later ONNX Runtimes all read.
IR_VERSION, OPSET, ML_OPSET = 8, 17, 1
#: Optional, and a number for each node: no input is missing, and hit rates are only hints.
UNUSED_ATTRIBUTES = ("nodes_hitrates", "nodes_missing_value_tracks_true")


@dataclass(frozen=True)
class LightGBMParameters:
    """Small, slow-learning trees: the signal is weak, and a server loads them cold every minute."""

    learning_rate: float = 0.01
    num_leaves: int = 15
    min_data_in_leaf: int = 300
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.7
    bagging_freq: int = 1
    lambda_l2: float = 10.0
    rounds: int = 500
    early_stopping_rounds: int = 80


def train_horizon(
    training: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    parameters: LightGBMParameters,
    seed: int,
    threads: int,
    on_round: Callable[[int], None] | None = None,
) -> lightgbm.Booster:
    """Fit one horizon's direction, stopped early by the validation part's log loss.

    Each part is (rows (n, features) float32, scaled returns (n,)); rows whose return is 0 have no direction and
    are left out. ``on_round`` hears of every round, as progress. The same seed and data give the same
    model on one machine, whatever the number of threads.
    """
    data = [_directions(*part) for part in (training, validation)]
    train_set = lightgbm.Dataset(*data[0], free_raw_data=True)
    validation_set = lightgbm.Dataset(*data[1], reference=train_set)
    settings: dict[str, Any] = asdict(parameters)
    rounds = settings.pop("rounds")
    patience = settings.pop("early_stopping_rounds")
    settings |= {
        "objective": "binary",
        "num_threads": threads,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    callbacks: list[Callable[..., None]] = [lightgbm.early_stopping(patience, verbose=False)]
    if on_round is not None:
        callbacks.append(lambda state: on_round(state.iteration + 1))
    # What comes back holds only the trees that early stopping kept.
    return lightgbm.train(settings, train_set, rounds, [validation_set], callbacks=callbacks)


def to_onnx(booster: lightgbm.Booster) -> onnx.ModelProto:
    """The booster as ONNX: ``features`` (batch, features) float32 -> ``probability`` (batch, 1) float32."""
    converted = convert_lightgbm(
        _margin_booster(booster), initial_types=[("features", FloatTensorType([None, len(FEATURES)]))]
    )
    (trees,) = [node for node in converted.graph.node if node.op_type == "TreeEnsembleRegressor"]
    trees.output[0] = "margin"
    for unused in [a for a in trees.attribute if a.name in UNUSED_ATTRIBUTES]:
        trees.attribute.remove(unused)
    graph = helper.make_graph(
        [trees, helper.make_node("Sigmoid", ["margin"], ["probability"])],
        "direction",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", len(FEATURES)])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch", 1])],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="candlecast")
    onnx.checker.check_model(model)
    return model


def floor_to_float32(value: float) -> float:
    """The largest float32 that is not above ``value``."""
    rounded = np.float32(value)
    if float(rounded) > value:
        rounded = np.nextafter(rounded, np.float32(-np.inf))
    return float(rounded)


def _margin_booster(booster: lightgbm.Booster) -> lightgbm.Booster:
    """The same trees with float32 thresholds and the raw margin as output."""
    text = booster.model_to_string()

    def floored(line: re.Match[str]) -> str:
        return "threshold=" + " ".join(repr(floor_to_float32(float(t))) for t in line[1].split())

    text = re.sub(r"^threshold=(.*)$", floored, text, flags=re.MULTILINE)
    text = re.sub(r"^objective=.*$", "objective=regression", text, flags=re.MULTILINE)
    # Byte lengths of the trees, which the rounding changed; without the line LightGBM reads them one by one.
    text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE)
    return lightgbm.Booster(model_str=text)


def _directions(rows: np.ndarray, scaled_returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    moved = scaled_returns != 0
    return rows[moved], (scaled_returns[moved] > 0).astype(np.float32)
