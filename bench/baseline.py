"""The baseline: predictions without candlecast, from psycopg, pandas and the same model files.

    python bench/baseline.py --database-url URL --models DIR --symbol BENCH     reads commands from stdin:
        predict        from the newest candle         await EPOCH    from that candle, as soon as it is stored

Each answer is a line of JSON with the milliseconds from the query (or from when the candle was found) to the commit. It
imports nothing from candlecast, so it also verifies candlecast's numbers independently. ``ewm`` uses the whole frame,
candlecast's means only 150 candles: that changes rsi_14 by up to 3e-5, the other features by less.
"""

import argparse
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import psycopg

HORIZONS = np.arange(1, 6)
SEQUENCE = 60
CANDLES = 209
RAW = [
    "open", "high", "low", "close", "volume", "quote_asset_volume", "taker_buy_base_asset_volume",
    "taker_buy_quote_asset_volume", "number_of_trades", "spread_bps", "taker_buy_ratio",
]  # fmt: skip
_NEWEST = f"""
select extract(epoch from open_time)::float8, {", ".join(RAW)} from candles_1m
where symbol = %s order by open_time desc limit {CANDLES}"""
_ALL_CANDLES = f"""
copy (
    select extract(epoch from open_time)::bigint as open_time, {", ".join(RAW)} from candles_1m
    where symbol = %s order by open_time
) to stdout (format csv, header)"""
_INSERT = """
insert into bench_predictions values (%s, to_timestamp(%s), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict do nothing"""
_ARRIVED = "select 1 from candles_1m where symbol = %s and open_time = to_timestamp(%s)"
#: Seconds between two queries for a candle, as in candlecast.
POLL = 0.004

Runner = Callable[[np.ndarray], np.ndarray]


def features(candles: pd.DataFrame) -> pd.DataFrame:
    """The features of candles without gaps, one row each. The first 149 rows are incomplete."""
    close, volume, high, low = candles["close"], candles["volume"], candles["high"], candles["low"]
    returns = np.log(close / close.shift())
    out = candles[RAW].astype("float64")
    roll = 2e4 * np.sqrt((-returns.rolling(30).cov(returns.shift())).clip(lower=0))
    out["spread_bps"] = out["spread_bps"].fillna(roll)
    for minutes in (1, 5, 15):
        out[f"log_return_{minutes}m"] = np.log(close / close.shift(minutes))
    for minutes in (5, 15, 30):
        out[f"volatility_{minutes}m"] = returns.rolling(minutes).std()
    for minutes in (5, 15, 30):
        out[f"sma_{minutes}_norm"] = (close - close.rolling(minutes).mean()) / close
    for minutes in (5, 15, 30):
        out[f"ema_{minutes}_norm"] = (close - close.ewm(span=minutes).mean()) / close
    change = close.diff()
    gain = change.clip(lower=0).ewm(alpha=1 / 14).mean()
    loss = (-change).clip(lower=0).ewm(alpha=1 / 14).mean()
    out["rsi_14"] = (gain / (gain + loss)).fillna(0.5)
    mean_volume = volume.rolling(20).mean()
    out["volume_sma_ratio"] = (volume / mean_volume).where(mean_volume > 0, 1.0)
    volume_60 = volume.rolling(60).sum()
    vwap = candles["quote_asset_volume"].rolling(60).sum() / volume_60
    out["vwap_deviation"] = ((close - vwap) / close).where(volume_60 > 0, 0.0)
    out["price_position"] = ((close - low) / (high - low)).where(high > low, 0.5)
    return out


class Models:
    """The model files of ``DIR/mamba`` and ``DIR/lgbm``, loaded by ONNX Runtime; optionally Mamba by TorchScript.

    ``DIR/calibration.json`` is the ensemble's calibration. It is optional.
    """

    def __init__(self, folder: Path, runtime: str = "onnx") -> None:
        self.params = _parameters(folder / "mamba")
        self.lgbm_params = _parameters(folder / "lgbm")
        self.mamba = _torchscript(folder / "mamba") if runtime == "torchscript" else _onnx(folder / "mamba/mamba.onnx")
        self.lgbm = [_onnx(folder / f"lgbm/lgbm_horizon_{horizon}.onnx") for horizon in HORIZONS]
        output = json.loads((folder / "lgbm/facts.json").read_text())["lgbm_output"]
        self.lgbm_scale = np.array(output["scale"]) if output["kind"] == "probability" else None
        calibration = folder / "calibration.json"
        self.calibration = json.loads(calibration.read_text()) if calibration.exists() else None

    def scaled_returns(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Raw windows (batch, 60, features) -> scaled returns (batch, 5) of Mamba, and of LightGBM."""
        mamba = self.mamba(_normalized(windows, self.params)).astype(np.float64)
        last = np.ascontiguousarray(_normalized(windows, self.lgbm_params)[:, -1, :])
        lgbm = np.stack([np.reshape(run(last), -1) for run in self.lgbm], axis=1).astype(np.float64)
        return mamba, lgbm if self.lgbm_scale is None else (2 * lgbm - 1) * self.lgbm_scale

    def calibrated(self, window: np.ndarray, scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray, str | None]:
        """A raw window (60, features) and the ensemble's scaled returns (5,) -> probabilities (5,), half widths of the
        intervals in scaled returns (5,), and the most distant feature if it is out of distribution.
        """
        line, seen = self.calibration["probability"], self.calibration["seen"]
        probability_up = 1 / (1 + np.exp(-(np.array(line["slope"]) * scaled + np.array(line["intercept"]))))
        row = _standardized(window[np.newaxis], self.params)[0, -1]
        low, high = np.array(seen["low"]), np.array(seen["high"])
        outside = np.maximum(low - row, row - high) / np.maximum(high - low, 1e-6)
        furthest = self.params["name"][outside.argmax()] if outside.max() > 0.1 else None
        return probability_up, np.array(self.calibration["interval"]["half_width"]), furthest


def predict(connection: psycopg.Connection, models: Models, symbol: str, weight: float) -> list[tuple]:
    """Predict from the newest candle. Writes and commits five rows."""
    fetched = connection.execute(_NEWEST, [symbol], prepare=True, binary=True).fetchall()
    candles = pd.DataFrame(fetched[::-1], columns=["open_time", *RAW]).set_index("open_time")
    if len(candles) < CANDLES or candles.index[-1] - candles.index[0] != 60 * (CANDLES - 1):
        raise SystemExit(f"the newest {CANDLES} candles of {symbol} have a gap")
    window = features(candles).iloc[-SEQUENCE:]
    last = window.iloc[-1]
    scale = max(last["volatility_30m"], 1e-6) * np.sqrt(HORIZONS)
    raw = window.to_numpy()
    by_mamba, by_lgbm = (scaled[0] for scaled in models.scaled_returns(raw[np.newaxis]))
    ensemble = weight * by_mamba + (1 - weight) * by_lgbm
    mamba, lgbm, returns = by_mamba * scale, by_lgbm * scale, ensemble * scale
    total = np.abs(mamba) + np.abs(lgbm)
    confidence = np.where(total > 0, 1 - np.abs(mamba - lgbm) / np.where(total > 0, total, 1), 0)
    close, candle_time = float(last["close"]), float(window.index[-1])
    columns = [returns, close * np.exp(returns), mamba, lgbm, confidence]
    more: tuple = (None,) * 4
    if models.calibration is not None:
        probability_up, half_width, furthest = models.calibrated(raw, ensemble)
        ends = (close * np.exp((ensemble + side * half_width) * scale) for side in (-1, 1))
        columns, more = [*columns, probability_up, *ends], (None if furthest is None else str(furthest),)
    rows = [
        (symbol, candle_time, int(horizon), close, *(float(column[number]) for column in columns), *more)
        for number, horizon in enumerate(HORIZONS)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, rows)
    connection.commit()
    return rows


def features_of_all(connection: psycopg.Connection, symbol: str) -> pd.DataFrame:
    """Fetch all candles of a symbol into a frame, and compute their features."""
    with connection.cursor() as cursor, cursor.copy(_ALL_CANDLES, [symbol]) as copy:
        text = b"".join(copy)
    return features(pd.read_csv(io.BytesIO(text), index_col="open_time"))


def _parameters(folder: Path) -> dict[str, np.ndarray]:
    rows = json.loads((folder / "normalization_params_v1.json").read_text())["features"]
    columns = {key: np.array([row[key] for row in rows]) for key in ("method", "center", "scale", "clip")}
    names = np.array([row["name"] for row in rows])
    return columns | {"name": names, "close": names == "close"}


def _normalized(windows: np.ndarray, params: dict[str, np.ndarray]) -> np.ndarray:
    return np.clip(_standardized(windows, params), -params["clip"], params["clip"]).astype(np.float32)


def _standardized(windows: np.ndarray, params: dict[str, np.ndarray]) -> np.ndarray:
    relative, logarithm = params["method"] == "relative_to_last_close", params["method"] == "log1p"
    values = windows.astype(np.float64)
    values[..., relative] = values[..., relative] / windows[:, -1:, params["close"]] - 1
    values[..., logarithm] = np.log1p(values[..., logarithm])
    return (values - params["center"]) / params["scale"]


def _onnx(path: Path) -> Runner:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda values: session.run(None, {name: values})[0]


def _torchscript(folder: Path) -> Runner:
    import torch

    torch.set_num_threads(1)
    module = torch.jit.load(str(folder / "mamba.pt")).eval()

    def run(values: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(values)).numpy()

    return run


def _serve(connection: psycopg.Connection, models: Models, symbol: str, weight: float) -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        started = time.perf_counter()
        if command == "await":
            while not connection.execute(_ARRIVED, [symbol, float(arguments[0])], prepare=True).fetchone():
                connection.rollback()
                time.sleep(POLL)
            started = time.perf_counter()
        rows = predict(connection, models, symbol, weight)
        milliseconds = (time.perf_counter() - started) * 1000
        print(json.dumps({"candle_time": rows[0][1], "ms": milliseconds}), flush=True)


def main() -> None:
    """Load the models, connect, and answer commands."""
    parser = argparse.ArgumentParser(description="Predict without candlecast: psycopg, pandas, ONNX Runtime or torch.")
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--models", type=Path, required=True, help="a folder with mamba/, lgbm/ and calibration.json")
    parser.add_argument("--symbol", required=True)
    parser.add_argument("--weight", type=float, default=0.5, help="Mamba's weight in the ensemble")
    parser.add_argument("--runtime", choices=("onnx", "torchscript"), default="onnx")
    options = parser.parse_args()
    models = Models(options.models, options.runtime)
    with psycopg.connect(options.database_url) as connection:
        _serve(connection, models, options.symbol, options.weight)


if __name__ == "__main__":
    main()
