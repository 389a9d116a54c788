"""Exports a trained forecaster to the files that the database loads: TorchScript and an equivalent ONNX file.

ONNX is exported by torch's TorchScript-based exporter: the newer one needs onnxscript for the same graph.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import onnx
import onnxruntime
import torch

from candlecast.core.feature_names import FEATURES
from candlecast.core.windows import SEQUENCE_LENGTH
from candlecast.trainer.models.lgbm import IR_VERSION, OPSET
from candlecast.trainer.models.mamba import MambaAverage, MambaForecaster

Forecaster = MambaForecaster | MambaAverage
#: The largest allowed difference of outputs, in scaled returns. Outputs larger than this must also agree in sign.
TOLERANCE = 1e-5


def to_torchscript(model: Forecaster) -> bytes:
    """``mamba.pt``: sequence (batch, 60, features) float32 -> scaled returns (batch, 5), batch dynamic."""
    buffer = io.BytesIO()
    with _without_known_warnings(), torch.inference_mode():
        torch.jit.save(torch.jit.trace(model.eval(), _example()), buffer)
    return buffer.getvalue()


def to_onnx(model: Forecaster) -> bytes:
    """``mamba.onnx``: input ``sequence`` (batch, 60, features) float32, output ``scaled_returns`` (batch, 5)."""
    buffer = io.BytesIO()
    with _without_known_warnings():
        torch.onnx.export(
            model.eval(),
            (_example(),),
            buffer,  # type: ignore[arg-type]  # the signature is the newer exporter's; this one writes to any file
            dynamo=False,
            opset_version=OPSET,
            input_names=["sequence"],
            output_names=["scaled_returns"],
            dynamic_axes={"sequence": {0: "batch"}, "scaled_returns": {0: "batch"}},
        )
    graph = onnx.load_from_string(buffer.getvalue())
    graph.ir_version = IR_VERSION
    onnx.checker.check_model(graph)
    content: bytes = graph.SerializeToString()
    if b"location" in content:
        raise AssertionError("mamba.onnx refers to external data, which the database rejects")
    return content


def check_exported_files(model: Forecaster, torchscript: bytes, onnx_bytes: bytes, windows: np.ndarray) -> float:
    """Largest difference of both files from the model on normalized windows (batch, 60, features) float32.

    Raises AssertionError if it exceeds 1e-5, or if signs differ at a scaled return above 1e-5.
    """
    with _without_known_warnings():
        script = torch.jit.load(io.BytesIO(torchscript))
    session = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        eager = model.eval()(torch.from_numpy(windows)).numpy()
        outputs = {
            "TorchScript": script(torch.from_numpy(windows)).numpy(),
            "ONNX": session.run(None, {"sequence": windows})[0],
        }
    worst = 0.0
    for name, given in outputs.items():
        difference = float(np.abs(given - eager).max())
        clear = np.abs(eager) > TOLERANCE
        if difference > TOLERANCE or (np.sign(given) != np.sign(eager))[clear].any():
            raise AssertionError(f"{name} differs from the trained model by {difference:.3g} scaled returns")
        worst = max(worst, difference)
    return worst


@contextmanager
def _without_known_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        # torch.jit and its exporter are deprecated; see the module's docstring.
        warnings.simplefilter("ignore", DeprecationWarning)
        # A sequence always has length 60, so the scan's loop may be unrolled.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        # Constant folding skips strided slices. The graph is correct without it.
        warnings.filterwarnings("ignore", message="Constant folding", category=UserWarning)
        yield


def _example() -> torch.Tensor:
    return torch.zeros(2, SEQUENCE_LENGTH, len(FEATURES))
