"""Loads a model version from its artifacts: LightGBM from ONNX, Mamba from ONNX or TorchScript."""

from collections.abc import Mapping

import numpy as np

from candlecast.core.errors import ArtifactDamaged
from candlecast.core.model import LGBM_FILES, NORMALIZATION, Model, Reader, build_output_mapping
from candlecast.core.normalization import parse_normalization
from candlecast.server.runtimes import load_onnx, load_torchscript


def load_mamba(read: Reader, runtime: str, device: str) -> Model:
    """Load Mamba with ``runtime`` (onnx or torchscript). Raises the errors of ``server.runtimes``."""
    source = _read_required(read, NORMALIZATION)
    if runtime == "torchscript":
        run = load_torchscript("mamba.pt", _read_required(read, "mamba.pt"), device)
    else:
        run = load_onnx("mamba.onnx", _read_required(read, "mamba.onnx"), device)
    return Model("mamba", runtime, parse_normalization(source), run, source)


def load_lgbm(read: Reader, facts: Mapping) -> Model:
    """Load the five LightGBM graphs; ``facts['lgbm_output']`` describes their outputs."""
    source = _read_required(read, NORMALIZATION)
    horizons = [load_onnx(name, _read_required(read, name)) for name in LGBM_FILES]
    to_scaled_return = build_output_mapping(facts)

    def run(rows: np.ndarray) -> np.ndarray:
        last = np.ascontiguousarray(rows[:, -1, :])
        outputs = [np.asarray(horizon(last), dtype=np.float64).reshape(len(rows)) for horizon in horizons]
        return to_scaled_return(np.stack(outputs, axis=1))

    return Model("lgbm", "onnx", parse_normalization(source), run, source)


def _read_required(read: Reader, name: str) -> bytes:
    content = read(name)
    if content is None:
        raise ArtifactDamaged(name=name, reason="the version has no such file")
    return content
