"""Turns artifact bytes into callables: ONNX Runtime and, where it is allowed, TorchScript.

Both use one thread, because PostgreSQL already runs one process per session.
"""

import io
import os
from typing import Any

import numpy as np

from candlecast.core.errors import ArtifactDamaged, ArtifactRefused, RuntimeMissing, TorchScriptNotAllowed
from candlecast.core.model import Runner
from candlecast.core.settings import is_torchscript_allowed

#: The size limit of an artifact, in bytes.
MAX_BYTES = 64 * 1024 * 1024
# Words that must not occur anywhere in the bytes of a graph: the key of tensors outside the file, and operators that
# loop, because an endless loop in ONNX Runtime could not be canceled.
_REFUSED_WORDS = {
    b"location": "it stores data outside the file (ONNX external data)",
    b"Loop": "it may loop (operator Loop)",
    b"Scan": "it may loop (operator Scan)",
    b"SequenceMap": "it may loop (operator SequenceMap)",
}


def check_artifact(name: str, content: bytes) -> None:
    """Raise ArtifactRefused for a file that is too large, or ONNX with external data or loops."""
    if len(content) > MAX_BYTES:
        raise ArtifactRefused(name=name, reason=f"{len(content)} bytes are over the limit of {MAX_BYTES}")
    if name.endswith(".onnx"):
        for word, reason in _REFUSED_WORDS.items():
            if word in content:
                raise ArtifactRefused(name=name, reason=reason)


def load_onnx(name: str, content: bytes, device: str = "cpu") -> Runner:
    """An ONNX graph with one input and one output: (batch, ...) float32 in, (batch, n) float32 out."""
    check_artifact(name, content)
    onnxruntime = _import_onnxruntime()
    providers = ["CUDAExecutionProvider"] if device == "cuda" else ["CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(content, _onnx_options(onnxruntime), providers=providers)
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        raise ArtifactDamaged(name=name, reason=f"ONNX Runtime cannot load it: {error}") from None
    if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 1:
        raise ArtifactDamaged(name=name, reason="it must have one input and one output")
    feed, fetch = session.get_inputs()[0].name, [session.get_outputs()[0].name]

    def run(values: np.ndarray) -> np.ndarray:
        return session.run(fetch, {feed: values})[0]

    return run


def load_torchscript(name: str, content: bytes, device: str = "cpu") -> Runner:
    """A TorchScript module with the same shapes. Raises TorchScriptNotAllowed."""
    if not is_torchscript_allowed():
        raise TorchScriptNotAllowed()
    check_artifact(name, content)
    torch = _import_torch()
    try:
        module = torch.jit.load(io.BytesIO(content), map_location=device).eval()
    except Exception as error:  # a damaged archive raises RuntimeError, ValueError and others
        raise ArtifactDamaged(name=name, reason=f"torch cannot load it: {error}") from None

    def run(values: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(np.ascontiguousarray(values)).to(device)).cpu().numpy()

    return run


def _import_onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeMissing(module="onnxruntime", reason=str(error)) from None
    return onnxruntime


def _onnx_options(onnxruntime: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


def _import_torch() -> Any:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        import torch
    except ImportError as error:
        raise RuntimeMissing(module="torch", reason=str(error)) from None
    torch.set_num_threads(1)
    return torch
