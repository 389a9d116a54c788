"""The database with both runtimes gives the same as plain Python, on 1,000 windows of real candles."""

from pathlib import Path

import numpy as np
import onnxruntime
import psycopg
import pytest
import torch

from candlecast.candles.load import load_file
from candlecast.core.feature_names import FEATURES, VOLATILITY_30M
from candlecast.core.model import NORMALIZATION, build_output_mapping, parse_facts
from candlecast.core.normalization import normalize, parse_normalization
from candlecast.core.returns import scale_of
from candlecast.core.windows import HORIZONS
from tests.support.deployment import deploy, forget_models

WINDOWS = 1000


@pytest.fixture(scope="module")
def session(make_shared_database, template, artifacts, shared_data):
    with psycopg.connect(make_shared_database(template), autocommit=True) as db:
        load_file(db, shared_data / "spot" / "BTCUSDT-1m-2026-04.zip")
        ensemble_id = deploy(db, artifacts)
        db.execute("update active_ensembles set symbol = 'BTCUSDT' where id = %s", (ensemble_id,))
        yield db


@pytest.fixture
def real(session):
    """A transaction in a database with April 2026 and an active ensemble, rolled back; no model is cached."""
    forget_models(session)
    with session.transaction(force_rollback=True):
        yield session


def windows_of(db, count):
    """The first `count` windows of the month: (times, windows (count, 60, features))."""
    rows = db.execute(
        f"select extract(epoch from open_time)::float8, {', '.join(FEATURES)}"
        " from features_between('BTCUSDT', '-infinity', 'infinity') order by open_time limit %s",
        (count + 59,),
    ).fetchall()
    table = np.array(rows, dtype=np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(table[:, 1:], 60, axis=0).transpose(0, 2, 1)
    return table[59:, 0], windows


def plain_python(artifacts, windows, runtime):
    """Scaled returns (n, 5) of both models, without the code of server.runtimes."""
    mamba, lgbm = map(Path, artifacts)
    rows = normalize(windows, parse_normalization((mamba / NORMALIZATION).read_bytes()))
    if runtime == "torchscript":
        with torch.inference_mode():
            deep = torch.jit.load(mamba / "mamba.pt")(torch.from_numpy(rows)).numpy()
    else:
        (deep,) = onnxruntime.InferenceSession(mamba / "mamba.onnx").run(None, {"sequence": rows})
    last = normalize(windows, parse_normalization((lgbm / NORMALIZATION).read_bytes()))[:, -1, :]
    outputs = [
        onnxruntime.InferenceSession(lgbm / f"lgbm_horizon_{horizon}.onnx").run(None, {"features": last})[0]
        for horizon in HORIZONS
    ]
    trees = build_output_mapping(parse_facts((lgbm / "facts.json").read_bytes()))(np.hstack(outputs).astype(np.float64))
    return deep.astype(np.float64), trees


@pytest.mark.parametrize("runtime", ["onnx", "torchscript"])
def test_both_runtimes_equal_plain_python(real, artifacts, runtime):
    real.execute("update ml_settings set value = %s where name = 'mamba_runtime'", (runtime,))
    forget_models(real)
    times, windows = windows_of(real, WINDOWS)
    rows = real.execute(
        "select mamba_close, lgbm_close from predict_range('BTCUSDT', to_timestamp(%s), to_timestamp(%s))"
        " order by candle_time, horizon",
        (times[0], times[-1] + 60),
    ).fetchall()
    returned = np.array(rows).reshape(WINDOWS, 5, 2) / scale_of(windows[:, -1, VOLATILITY_30M])[..., np.newaxis]
    for column, expected in enumerate(plain_python(artifacts, windows, runtime)):
        assert np.abs(returned[..., column] - expected).max() <= 1e-5


def test_a_range_over_a_real_day_equals_its_minutes(real):
    query = """
    with minutes as (
        select generate_series(timestamptz '2026-04-20 00:00+00', '2026-04-20 23:59+00', '1 minute') as minute
    )
    select max(abs(ranged.predicted_close - single.predicted_close) / (greatest(volatility_30m, 1e-6) * sqrt(horizon))),
        count(*)
    from minutes
    cross join lateral predict('BTCUSDT', minute) as single
    inner join predict_range('BTCUSDT', '2026-04-20 00:00+00', '2026-04-21 00:00+00') as ranged
        using (candle_time, horizon)
    inner join features_between('BTCUSDT', '2026-04-20 00:00+00', '2026-04-21 00:00+00') as features
        on features.open_time = candle_time
    """
    difference, count = real.execute(query).fetchone()
    assert count == 1440 * 5
    assert difference <= 1e-5


def test_no_window_spans_a_gap(real, shared_data):
    load_file(real, shared_data / "warts" / "BTCUSDT-1m-2025-09_11-gap.csv.gz")
    times = [
        row[0].timestamp()
        for row in real.execute(
            "select candle_time from predict_range('BTCUSDT', '2025-09-01 00:00+00', '2025-12-01 00:00+00')"
            " where horizon = 1 order by 1"
        )
    ]
    candles = [
        row[0].timestamp()
        for row in real.execute("select open_time from candles_1m where open_time < '2025-12-01 00:00+00' order by 1")
    ]
    stored = set(candles)
    whole = [time for time in candles if all(time - 60 * back in stored for back in range(209))]
    assert times == whole
    assert len(whole) == 8678 - 2 * 208
