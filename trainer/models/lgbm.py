"""LightGBM models of the direction, one per horizon, and their export to an exactly equivalent ONNX graph.

The input is the last normalized row (float32), the output the probability of a positive return. ``facts.json``
maps it to a scaled return with (2p - 1) * c_h. Most of the signal is linear in the features, and trees need many splits
for a linear function. So a ridge-penalized logistic regression is fitted first. LightGBM gets its margin as
``init_score`` and adds the nonlinear part, with randomized thresholds (extremely randomized trees, Geurts et al. 2006).
In walk-forward tests this was better than trees alone and than the linear part alone (docs/explanation/experiments.md).

ONNX compares float32, LightGBM float64. For a float32 input x, x <= t is equivalent to
x <= (the largest float32 not above t). So thresholds are rounded toward minus infinity before onnxmltools, which rounds
to nearest, converts the trees, and every row reaches the same leaf. (LightGBM treats 0 < |x| <= 1e-35 as 0, ONNX does
not. A difference of two float64 numbers near 1 is never that small.)
"""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import lightgbm
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from candlecast.core.feature_names import FEATURES

#: Versions that the ONNX Runtime of Debian 12 and all later ones support.
IR_VERSION, OPSET, ML_OPSET = 8, 17, 1
#: Optional attributes with a number per node. They are not needed: no input is missing, and hit rates are only hints.
UNUSED_ATTRIBUTES = ("nodes_hitrates", "nodes_missing_value_tracks_true")


@dataclass(frozen=True)
class LightGBMParameters:
    """Small trees with a low learning rate: the signal is weak, and new sessions load the models every minute.

    ``linear_c`` is the logistic regression's inverse penalty, scikit-learn's C. The number of ``rounds`` is fixed, so
    that LightGBM does not use the validation rows before the calibration.
    """

    linear_c: float = 1e-4
    rounds: int = 150
    learning_rate: float = 0.01
    num_leaves: int = 15
    min_data_in_leaf: int = 1000
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.7
    bagging_freq: int = 1
    lambda_l2: float = 10.0
    extra_trees: bool = True


@dataclass(frozen=True)
class DirectionModel:
    """One horizon's model: a linear part, coefficients (features,) float32 and intercept, plus trees."""

    coefficients: np.ndarray
    intercept: float
    booster: lightgbm.Booster

    def probability(self, rows: np.ndarray, threads: int = 1) -> np.ndarray:
        """Probability of a positive return for normalized rows (n, features) float32: (n,) float64."""
        trees = self.booster.predict(rows, raw_score=True, num_threads=threads)
        return expit(rows @ self.coefficients + self.intercept + np.asarray(trees))

    def num_trees(self) -> int:
        """Number of trees."""
        return int(self.booster.num_trees())


def train_horizon(
    rows: np.ndarray,
    scaled_returns: np.ndarray,
    parameters: LightGBMParameters,
    seed: int,
    threads: int,
    on_round: Callable[[int], None] | None = None,
) -> DirectionModel:
    """Fit one horizon's direction on rows (n, features) float32 and scaled returns (n,).

    Rows with a return of 0 have no direction and are left out. ``on_round`` is called after every round, to show
    progress. On one machine the same seed and data give the same model, for any number of threads.
    """
    moved = scaled_returns != 0
    rows, up = rows[moved], scaled_returns[moved] > 0
    settings: dict[str, Any] = asdict(parameters)
    line = LogisticRegression(C=settings.pop("linear_c"), max_iter=1_000).fit(rows, up)
    coefficients = line.coef_[0].astype(np.float32)
    margin = rows @ coefficients + float(line.intercept_[0])
    rounds = settings.pop("rounds")
    settings |= {
        "objective": "binary",
        "boost_from_average": False,
        "num_threads": threads,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    callbacks: list[Callable[..., None]] = []
    if on_round is not None:
        callbacks.append(lambda state: on_round(state.iteration + 1))
    data = lightgbm.Dataset(rows, up.astype(np.float32), init_score=margin, free_raw_data=True)
    booster = lightgbm.train(settings, data, rounds, callbacks=callbacks)
    return DirectionModel(coefficients, float(line.intercept_[0]), booster)


def to_onnx(model: DirectionModel) -> onnx.ModelProto:
    """The model as ONNX: ``features`` (batch, features) float32 -> ``probability`` (batch, 1) float32."""
    converted = convert_lightgbm(
        _margin_booster(model.booster), initial_types=[("features", FloatTensorType([None, len(FEATURES)]))]
    )
    (trees,) = [node for node in converted.graph.node if node.op_type == "TreeEnsembleRegressor"]
    trees.output[0] = "trees"
    for unused in [a for a in trees.attribute if a.name in UNUSED_ATTRIBUTES]:
        trees.attribute.remove(unused)
    line = [
        numpy_helper.from_array(model.coefficients.astype(np.float32)[:, np.newaxis], "coefficients"),
        numpy_helper.from_array(np.array([model.intercept], dtype=np.float32), "intercept"),
    ]
    graph = helper.make_graph(
        [
            trees,
            helper.make_node("Gemm", ["features", "coefficients", "intercept"], ["line"]),
            helper.make_node("Add", ["line", "trees"], ["margin"]),
            helper.make_node("Sigmoid", ["margin"], ["probability"]),
        ],
        "direction",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", len(FEATURES)])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch", 1])],
        initializer=line,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="candlecast")
    onnx.checker.check_model(proto)
    return proto


def floor_to_float32(value: float) -> float:
    """The largest float32 that is not above ``value``."""
    rounded = np.float32(value)
    if float(rounded) > value:
        rounded = np.nextafter(rounded, np.float32(-np.inf))
    return float(rounded)


def _margin_booster(booster: lightgbm.Booster) -> lightgbm.Booster:
    """The same trees with float32 thresholds and the raw margin as output."""
    text = booster.model_to_string()

    def floor_threshold(line: re.Match[str]) -> str:
        return "threshold=" + " ".join(repr(floor_to_float32(float(t))) for t in line[1].split())

    text = re.sub(r"^threshold=(.*)$", floor_threshold, text, flags=re.MULTILINE)
    text = re.sub(r"^objective=.*$", "objective=regression", text, flags=re.MULTILINE)
    # Rounding changed the byte lengths of the trees. Without tree_sizes LightGBM parses the trees one by one.
    text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE)
    return lightgbm.Booster(model_str=text)
