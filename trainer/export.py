"""A trained forecaster as the files that the database loads: TorchScript, and ONNX as its twin.

ONNX comes from the TorchScript-based exporter: torch's newer one needs onnxscript for the same graph.
"""

import io
import warnings

import numpy as np
import onnx
import onnxruntime
import torch

from candlecast.features import FEATURES, SEQUENCE_LENGTH
from trainer.lgbm import IR_VERSION, OPSET
from trainer.mamba import MambaForecaster

#: The largest difference between two roads, in scaled returns; beyond it a sign must agree too.
TOLERANCE = 1e-5


def to_torchscript(model: MambaForecaster) -> bytes:
    """``mamba.pt``: sequence (batch, 60, 27) float32 -> scaled returns (batch, 5), batch dynamic."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit is deprecated; DESIGN asks for it
        torch.jit.save(torch.jit.trace(model.eval(), _example()), buffer)
    return buffer.getvalue()


def to_onnx(model: MambaForecaster) -> bytes:
    """``mamba.onnx``: input ``sequence`` (batch, 60, 27) float32, output ``scaled_returns`` (batch, 5)."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the TorchScript-based exporter
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # lengths are fixed
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
        raise AssertionError("mamba.onnx names external data, which the database refuses")
    return content


def check_twins(model: MambaForecaster, torchscript: bytes, onnx_bytes: bytes, windows: np.ndarray) -> float:
    """Largest difference of both files from the model on normalised windows (batch, 60, 27) float32.

    Raises AssertionError beyond 1e-5, or where signs differ at a scaled return beyond that.
    """
    script = torch.jit.load(io.BytesIO(torchscript))
    session = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        eager = model.eval()(torch.from_numpy(windows)).numpy()
        roads = {
            "TorchScript": script(torch.from_numpy(windows)).numpy(),
            "ONNX": session.run(None, {"sequence": windows})[0],
        }
    worst = 0.0
    for name, given in roads.items():
        difference = float(np.abs(given - eager).max())
        clear = np.abs(eager) > TOLERANCE
        if difference > TOLERANCE or (np.sign(given) != np.sign(eager))[clear].any():
            raise AssertionError(f"{name} differs from the trained model by {difference:.3g} scaled returns")
        worst = max(worst, difference)
    return worst


def _example() -> torch.Tensor:
    return torch.zeros(2, SEQUENCE_LENGTH, len(FEATURES))
