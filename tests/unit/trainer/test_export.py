"""The trained model, TorchScript and ONNX give the same scaled returns, on 1,000 windows and for any batch size."""

import io
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from candlecast.core.feature_names import FEATURES
from candlecast.trainer.data.dataset import normalize_windows
from candlecast.trainer.data.splits import choose_borders, split_by_time
from candlecast.trainer.models.export_mamba import check_exported_files, to_onnx, to_torchscript
from candlecast.trainer.models.mamba import MambaForecaster, MambaShape
from candlecast.trainer.models.training import train_pair
from tests.support.artifacts import SMALL_MAMBA, generated_dataset, small_options

# The tests load TorchScript as the database does.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.load.*:DeprecationWarning")


@pytest.fixture(scope="module", params=[1, 2], ids=["one block", "two blocks"])
def exported(request):
    """A trained model, its two files and 1,000 normalized windows."""
    dataset = generated_dataset()
    shape = replace(SMALL_MAMBA.shape, layers=request.param)
    options = replace(small_options(), mamba=replace(SMALL_MAMBA, shape=shape, stride=6))
    split = split_by_time(dataset.candle_time, *choose_borders(dataset.candle_time))
    pair = train_pair(dataset, split, options)
    (windows,) = normalize_windows(dataset, np.arange(1_000) * 6, pair.normalization, 1_000)
    model = pair.mamba
    return model, to_torchscript(model), to_onnx(model), windows


def test_exported_files_agree_with_the_model(exported):
    model, torchscript, onnx, windows = exported
    with torch.inference_mode():
        outputs = model(torch.from_numpy(windows)).numpy()
    assert np.ptp(outputs) > 1e-3, "constant outputs would agree trivially"
    assert check_exported_files(model, torchscript, onnx, windows) < 1e-5


def test_an_onnx_file_with_other_weights_is_detected(exported):
    model, torchscript, _, windows = exported
    torch.manual_seed(99)
    other = MambaForecaster(model.members[0].shape, model.magnitude)
    torch.nn.init.normal_(other.head.weight)
    with pytest.raises(AssertionError, match="ONNX differs"):
        check_exported_files(model, torchscript, to_onnx(other), windows)


@pytest.mark.parametrize("batch", [1, 2, 3, 257])
def test_the_batch_size_is_dynamic_and_changes_no_result(exported, batch):
    _, torchscript, onnx, windows = exported
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    script = torch.jit.load(io.BytesIO(torchscript))
    alone = np.concatenate([session.run(None, {"sequence": windows[k : k + 1]})[0] for k in range(batch)])
    (together,) = session.run(None, {"sequence": windows[:batch]})
    assert together.shape == (batch, 5)
    assert together.dtype == np.float32
    assert np.abs(together - alone).max() < 1e-6
    with torch.inference_mode():
        assert np.abs(script(torch.from_numpy(windows[:batch])).numpy() - alone).max() < 1e-5


def test_extreme_inputs_give_finite_outputs(exported):
    _, torchscript, onnx, windows = exported
    random = np.random.default_rng(0)
    extreme = random.choice([-10.0, 10.0], (64, 60, len(FEATURES))).astype(np.float32)
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    (given,) = session.run(None, {"sequence": extreme})
    assert np.isfinite(given).all()
    with torch.inference_mode():
        script = torch.jit.load(io.BytesIO(torchscript))(torch.from_numpy(extreme)).numpy()
    assert np.abs(script - given).max() < 1e-5
    assert windows.max() <= 10.0


def test_graph_names_and_shapes_match_the_loader(exported):
    session = onnxruntime.InferenceSession(exported[2], providers=["CPUExecutionProvider"])
    assert [(value.name, value.shape) for value in session.get_inputs()] == [("sequence", ["batch", 60, len(FEATURES)])]
    assert [(value.name, value.shape[0]) for value in session.get_outputs()] == [("scaled_returns", "batch")]
    assert b"location" not in exported[2]


def test_dropout_is_off_in_exported_files():
    """Also if the model is in training mode before the export."""
    torch.manual_seed(0)
    model = MambaForecaster(MambaShape(d_model=8, d_state=4, dropout=0.9)).train()
    torch.nn.init.normal_(model.head.weight)
    windows = np.random.default_rng(0).normal(size=(8, 60, len(FEATURES))).astype(np.float32)
    assert check_exported_files(model, to_torchscript(model.train()), to_onnx(model.train()), windows) < 1e-5
