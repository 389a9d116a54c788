"""The Mamba block: scans equal the plain recurrence; names, shapes, initialization of mamba-ssm; causality."""

import pytest
import torch
from torch.nn import functional
from transformers import MambaConfig
from transformers.models.mamba.modeling_mamba import MambaMixer

from candlecast.core.feature_names import FEATURES
from candlecast.trainer.models.mamba import MambaAverage, MambaBlock, MambaForecaster, MambaShape, parameter_groups
from candlecast.trainer.models.selective_scan import (
    kernel_usable,
    scan_kernel,
    scan_last,
    scan_parallel,
)

SHAPE = MambaShape(d_model=24, d_state=8, layers=2)


def scan_inputs(dtype, length=60, step=1.0, device="cpu"):
    """u, delta, A, B, C like those of a block; ``step`` scales delta."""
    torch.manual_seed(length)
    b, d, n = 3, 16, 8
    u, raw = torch.randn(2, b, length, d, dtype=dtype, device=device)
    b_and_c = torch.randn(2, b, length, n, dtype=dtype, device=device)
    states = -torch.arange(1, n + 1, dtype=dtype, device=device).repeat(d, 1)
    return u, step * functional.softplus(raw), states, b_and_c[0], b_and_c[1]


def scan_step_by_step(u, delta, a, b, c):
    """The recurrence of the paper, one position at a time: y (b, l, d)."""
    state, outputs = torch.zeros(u.shape[0], *a.shape, dtype=u.dtype, device=u.device), []  # (b, d, n)
    for step in range(u.shape[1]):
        decay = torch.exp(delta[:, step, :, None] * a)
        state = decay * state + (delta * u)[:, step, :, None] * b[:, step, None, :]
        outputs.append((state * c[:, step, None, :]).sum(-1))
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("length", [1, 2, 7, 60, 64])
@pytest.mark.parametrize("step", [1e-3, 0.1, 1.0, 100.0])
def test_fast_scans_equal_the_step_by_step_scan(dtype, tolerance, length, step):
    inputs = scan_inputs(dtype, length, step)
    expected = scan_step_by_step(*inputs)
    tolerance *= max(1.0, expected.abs().max().item())
    assert (scan_parallel(*inputs) - expected).abs().max() < tolerance
    assert (scan_last(*inputs) - expected[:, -1]).abs().max() < tolerance


def test_scan_gradients_agree():
    gradients = []
    for scan in (lambda *x: scan_step_by_step(*x)[:, -1], lambda *x: scan_parallel(*x)[:, -1], scan_last):
        inputs = [value.detach().requires_grad_() for value in scan_inputs(torch.float64)]
        scan(*inputs).square().sum().backward()
        gradients.append([value.grad for value in inputs])
    for given in gradients[1:]:
        for ours, reference in zip(given, gradients[0], strict=True):
            torch.testing.assert_close(ours, reference, rtol=1e-9, atol=1e-9)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_kernel_equals_the_step_by_step_scan():
    pytest.importorskip("mamba_ssm", reason="mamba-ssm is not installed")
    inputs = scan_inputs(torch.float32, device="cuda")
    assert kernel_usable(inputs[0])
    assert (scan_kernel(*inputs) - scan_step_by_step(*inputs)).abs().max() < 1e-4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_the_block_equals_mamba_ssm_with_the_same_weights():
    modules = pytest.importorskip("mamba_ssm.modules.mamba_simple", reason="mamba-ssm is not installed")
    ours = randomized(MambaBlock(SHAPE)).cuda()
    theirs = modules.Mamba(SHAPE.d_model, SHAPE.d_state, SHAPE.d_conv, SHAPE.expand, use_fast_path=False).cuda()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, 60, SHAPE.d_model, device="cuda")
    with torch.inference_mode():
        assert (ours(x) - theirs(x)).abs().max() < 1e-4
        assert (ours.cpu()(x.cpu()) - theirs(x).cpu()).abs().max() < 1e-4


@pytest.mark.parametrize("shape", [SHAPE, MambaShape(d_model=40, d_state=5, expand=3, d_conv=3)])
def test_the_block_equals_an_independent_implementation(shape):
    """The mixer of transformers. Its slow path is a loop over the sequence in plain PyTorch."""
    config = MambaConfig(
        hidden_size=shape.d_model,
        state_size=shape.d_state,
        expand=shape.expand,
        conv_kernel=shape.d_conv,
        time_step_rank=shape.dt_rank,
        num_hidden_layers=1,
    )
    ours, theirs = randomized(MambaBlock(shape)), MambaMixer(config, layer_idx=0)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, 60, shape.d_model)
    with torch.inference_mode():
        expected = theirs.slow_forward(x)
        assert expected.abs().max() > 0.1
        assert (ours(x) - expected).abs().max() < 1e-5
        assert (ours(x, last_only=True) - expected[:, -1]).abs().max() < 1e-5


def randomized(block):
    """Change every parameter from its initial value, so that a missing parameter changes the result."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return block


def test_a_missing_kernel_error_gives_the_install_command(monkeypatch):
    monkeypatch.setattr("candlecast.trainer.models.selective_scan._kernel", lambda: None)
    with pytest.raises(RuntimeError, match="pip install mamba-ssm"):
        scan_kernel(*scan_inputs(torch.float32))


def test_parameters_have_the_names_and_shapes_of_mamba_ssm():
    shapes = {name: tuple(value.shape) for name, value in MambaBlock(SHAPE).named_parameters()}
    assert shapes == {
        "A_log": (48, 8),
        "D": (48,),
        "in_proj.weight": (96, 24),
        "conv1d.weight": (48, 1, 4),
        "conv1d.bias": (48,),
        "x_proj.weight": (2 + 2 * 8, 48),
        "dt_proj.weight": (48, 2),
        "dt_proj.bias": (48,),
        "out_proj.weight": (24, 48),
    }


def test_initialization_equals_mamba_ssm():
    torch.manual_seed(3)
    block = MambaBlock(MambaShape(d_model=256, d_state=8))
    assert torch.allclose(block.A_log.exp(), torch.arange(1.0, 9.0).repeat(512, 1))
    assert (block.D == 1).all()
    dt = functional.softplus(block.dt_proj.bias)
    assert 1e-3 * 0.999 <= dt.min() < 1.5e-3
    assert 0.07 < dt.max() <= 0.1 * 1.001
    # Log-uniform: the median is the geometric mean of the limits, 0.01.
    assert 0.008 < dt.median() < 0.0125
    assert block.dt_proj.weight.abs().max() <= 16**-0.5


def test_two_blocks_equal_the_recurrence_of_the_paper():
    """The whole forecaster equals a loop over time steps that shares only the weights."""
    torch.manual_seed(0)
    model = MambaForecaster(SHAPE).double().eval()
    torch.nn.init.normal_(model.head.weight)
    sequence = torch.randn(2, 60, len(FEATURES), dtype=torch.float64)
    x = model.input(sequence)
    for layer in model.layers:
        x = x + plain_mixer(layer.mixer, layer.norm(x))
    expected = torch.tanh(model.head(model.norm(x[:, -1])) / 2)
    assert (model(sequence) - expected).abs().max() < 1e-10


def plain_mixer(block, x):
    inner, gate = block.in_proj(x).chunk(2, dim=-1)
    padded = functional.pad(inner, (0, 0, 3, 0))
    kernel = block.conv1d.weight[:, 0]  # (d_inner, d_conv)
    steps = [(padded[:, k : k + 4] * kernel.T).sum(1) + block.conv1d.bias for k in range(x.shape[1])]
    state, outputs = 0.0, []
    for k, step in enumerate(steps):
        u = functional.silu(step)
        dt, to_state, from_state = block.x_proj(u).split([block.dt_rank, block.d_state, block.d_state], dim=-1)
        delta = functional.softplus(block.dt_proj(dt))[:, :, None]
        state = torch.exp(-delta * block.A_log.exp()) * state + delta * to_state[:, None] * u[:, :, None]
        y = (state * from_state[:, None]).sum(-1) + block.D * u
        outputs.append(block.out_proj(y * functional.silu(gate[:, k])))
    return torch.stack(outputs, dim=1)


def test_a_block_is_causal():
    torch.manual_seed(0)
    block = MambaBlock(SHAPE).eval()
    x = torch.randn(2, 60, 24)
    changed = x.clone()
    changed[:, 40:] += 1.0
    before, after = block(x), block(changed)
    assert torch.equal(before[:, :40], after[:, :40])
    assert not torch.allclose(before[:, 40:], after[:, 40:])


def test_last_only_returns_the_last_position():
    torch.manual_seed(0)
    block = MambaBlock(SHAPE).eval()
    x = torch.randn(4, 60, 24)
    assert (block(x, last_only=True) - block(x)[:, -1]).abs().max() < 1e-6


def test_a_window_gives_the_same_result_in_any_batch():
    torch.manual_seed(0)
    model = MambaForecaster(SHAPE).eval()
    torch.nn.init.normal_(model.head.weight)
    windows = torch.randn(9, 60, len(FEATURES))
    together = model(windows)
    alone = torch.cat([model(windows[k : k + 1]) for k in range(9)])
    assert (together - alone).abs().max() < 1e-6


def test_a_new_model_returns_zero_bounded_by_magnitude():
    magnitude = torch.tensor([0.5, 0.6, 0.7, 0.8, 0.9])
    model = MambaForecaster(SHAPE, magnitude).eval()
    windows = torch.randn(4, 60, len(FEATURES))
    assert (model(windows) == 0).all()
    torch.nn.init.constant_(model.head.bias, 50.0)
    assert torch.allclose(model(windows), magnitude.expand(4, 5))


def test_state_space_and_biases_have_no_weight_decay():
    model = MambaForecaster(SHAPE)
    decayed, not_decayed = parameter_groups(model, 0.1)
    names = {id(value): name for name, value in model.named_parameters()}
    assert decayed["weight_decay"] == 0.1
    assert not_decayed["weight_decay"] == 0.0
    not_decayed_names = {names[id(value)] for value in not_decayed["params"]}
    assert {f"layers.{k}.mixer.{name}" for k in (0, 1) for name in ("A_log", "D", "dt_proj.bias")} <= not_decayed_names
    assert all(name.endswith("weight") for name in (names[id(value)] for value in decayed["params"]))
    assert len(names) == len(decayed["params"]) + len(not_decayed_names)


def test_an_average_is_the_mean_of_its_members_log_odds():
    torch.manual_seed(0)
    magnitude = torch.linspace(0.6, 0.8, 5)
    members = [randomized(MambaForecaster(SHAPE, magnitude)).eval() for _ in range(2)]
    members.append(MambaForecaster(SHAPE, magnitude).eval())
    x = torch.randn(7, 60, len(FEATURES))
    with torch.inference_mode():
        mean = torch.stack([member.log_odds(x) for member in members]).mean(0)
        assert (MambaAverage(members).eval()(x) - torch.tanh(mean / 2) * magnitude).abs().max() < 1e-6


def test_a_linear_term_of_the_last_row_is_added():
    model = MambaForecaster(SHAPE).eval()
    x = torch.randn(2, 60, len(FEATURES))
    with torch.inference_mode():
        assert (model.log_odds(x) == 0).all()
        model.skip.weight[2, 4] = 0.5
        assert model.log_odds(x)[:, 2] == pytest.approx(0.5 * x[:, -1, 4])
