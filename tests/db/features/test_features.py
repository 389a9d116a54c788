"""The SQL of the features: compared with values by hand and with the NumPy reference, and tested for look-ahead."""

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candlecast.core.feature_names import FEATURES
from candlecast.core.windows import FEATURE_WINDOW
from candlecast.trainer.features import compute_features
from tests.support.feature_candles import (
    MINUTE,
    START,
    candles_of,
    features,
    insert,
    random_candles,
    real_candles,
    sliced,
)

RELATIVE, ABSOLUTE = 1e-9, 1e-12


def column(matrix, name):
    return matrix[:, FEATURES.index(name)]


def assert_parity(db, symbol, candles):
    """The view has exactly the rows of the reference, each value within 1e-9 (1e-12 near 0). Returns the matrix."""
    insert(db, symbol, candles)
    open_time, matrix = features(db, symbol)
    expected_time, expected = compute_features(candles)
    np.testing.assert_array_equal(open_time, expected_time)
    assert np.isfinite(matrix).all()
    for index, name in enumerate(FEATURES):
        np.testing.assert_allclose(
            matrix[:, index], expected[:, index], rtol=RELATIVE, atol=ABSOLUTE, err_msg=name, equal_nan=False
        )
    return matrix


# By hand: 150 candles, close 100, volume 1, no quotes, with the case's values at the end -> the last row.

X = log(1.1)  # the return of 100 -> 110
Y = log(104.5 / 110)  # and of 110 -> 104.5
CASES = [
    # given (the last values of each column), feature, expect
    ({}, "log_return_1m", 0.0),
    ({"close": [110]}, "log_return_1m", X),
    ({"close": [110, 110]}, "log_return_1m", 0.0),
    ({"close": [110] * 5}, "log_return_5m", X),
    ({"close": [110] * 6}, "log_return_5m", 0.0),
    ({"close": [110] * 15}, "log_return_15m", X),
    ({"close": [110] * 16}, "log_return_15m", 0.0),
    ({}, "volatility_30m", 0.0),
    ({"close": [110]}, "volatility_5m", X / sqrt(5)),
    ({"close": [110] * 5}, "volatility_5m", X / sqrt(5)),
    ({"close": [110] * 6}, "volatility_5m", 0.0),
    ({"close": [110]}, "volatility_15m", X / sqrt(15)),
    ({"close": [110] * 16}, "volatility_15m", 0.0),
    ({"close": [110] * 30}, "volatility_30m", X / sqrt(30)),
    ({"close": [110] * 31}, "volatility_30m", 0.0),
    ({"close": [110]}, "sma_5_norm", (110 - 102) / 110),
    ({"close": [110]}, "sma_15_norm", (110 - (14 * 100 + 110) / 15) / 110),
    ({"close": [110]}, "sma_30_norm", (110 - (29 * 100 + 110) / 30) / 110),
    ({"close": [110] * 30}, "sma_30_norm", 0.0),
    ({}, "ema_30_norm", 0.0),
    ({"close": [110]}, "ema_5_norm", (110 - 100 - 10 / 3 / (1 - (2 / 3) ** 150)) / 110),
    ({"close": [110]}, "ema_15_norm", (110 - 100 - 10 / 8 / (1 - (7 / 8) ** 150)) / 110),
    ({"close": [110]}, "ema_30_norm", (110 - 100 - 20 / 31 / (1 - (29 / 31) ** 150)) / 110),
    ({"close": [110] * 149}, "ema_30_norm", (10 * (29 / 31) ** 149 * (2 / 31) / (1 - (29 / 31) ** 150)) / 110),
    ({"close": [110] * 150}, "ema_30_norm", 0.0),
    ({}, "rsi_14", 0.5),
    ({"close": [110]}, "rsi_14", 1.0),
    ({"close": [90]}, "rsi_14", 0.0),
    ({"close": [110] * 149}, "rsi_14", 1.0),  # the oldest change in the window
    ({"close": [110] * 150}, "rsi_14", 0.5),  # one minute later it is outside
    ({"close": [110, 104.5]}, "rsi_14", (10 * 13 / 14) / (10 * 13 / 14 + 5.5)),
    ({"close": [110, 104.5]}, "spread_bps", 20000 * sqrt(-(X * Y - (X + Y) * X / 30) / 29)),
    ({"close": [110, 121]}, "spread_bps", 0.0),  # returns of the same sign: no bid-ask bounce
    ({"close": [110]}, "spread_bps", 0.0),
    ({"spread_bps": [1.25], "close": [110, 104.5]}, "spread_bps", 1.25),
    ({"spread_bps": [0.0], "close": [110, 104.5]}, "spread_bps", 0.0),
    ({}, "volume_sma_ratio", 1.0),
    ({"volume": [21]}, "volume_sma_ratio", 21 / 2),
    ({"volume": [41] + [1] * 19}, "volume_sma_ratio", 1 / 3),
    ({"volume": [41] + [1] * 20}, "volume_sma_ratio", 1.0),
    ({"volume": [0] * 20}, "volume_sma_ratio", 1.0),
    ({"volume": [0]}, "volume_sma_ratio", 0.0),
    ({}, "vwap_deviation", 0.0),
    ({"close": [110]}, "vwap_deviation", (110 - (59 * 100 + 110) / 60) / 110),
    ({"close": [110], "volume": [61]}, "vwap_deviation", (110 - (59 * 100 + 61 * 110) / 120) / 110),
    ({"close": [110], "volume": [0]}, "vwap_deviation", 10 / 110),
    ({"close": [110], "volume": [0] * 60}, "vwap_deviation", 0.0),
    ({}, "price_position", 0.5),
    ({"high": [104], "low": [99]}, "price_position", 0.2),
    ({"high": [100], "low": [99]}, "price_position", 1.0),
    ({}, "taker_buy_ratio", 0.5),
    ({"taker_buy_base_asset_volume": [0.75]}, "taker_buy_ratio", 0.75),
    ({"volume": [0]}, "taker_buy_ratio", 0.5),
    ({"number_of_trades": [7]}, "number_of_trades", 7.0),
]


@pytest.fixture(scope="module")
def plain_history():
    """160 minutes: the 150 of the last row, and ten with another price before them, which must have no effect."""
    return {
        "close": np.r_[np.full(9, 250.0), np.full(151, 100.0)],
        "volume": np.r_[np.full(9, 70.0), np.full(151, 1.0)],
    }


def test_features_by_hand(db, plain_history):
    for number, (given_values, _, _) in enumerate(CASES):
        columns = {name: values.copy() for name, values in plain_history.items()}
        columns["spread_bps"] = np.full(160, np.nan)
        for name in ("close", "volume"):
            values = given_values.get(name, [])
            columns[name][160 - len(values) :] = values
        others = {name: values for name, values in given_values.items() if name not in columns}
        candles = candles_of(**columns)
        for name, values in {**others, "spread_bps": given_values.get("spread_bps", [])}.items():
            candles[name] = candles[name].copy()
            candles[name][160 - len(values) :] = values
        insert(db, f"CASE{number}", candles)
    wrong = []
    for number, (given_values, name, expected) in enumerate(CASES):
        got = column(features(db, f"CASE{number}")[1], name)[-1]
        if got != pytest.approx(expected, rel=1e-12, abs=1e-14):
            wrong.append(f"{given_values} -> {name}: {got}, not {expected}")
    assert not wrong, "\n".join(wrong)


def test_columns_are_the_27_features_in_order_as_float8(db):
    for source in ("features_1m", "features_between('X', '-infinity', 'infinity')"):
        description = db.execute(f"select * from {source}").description
        assert [c.name for c in description] == ["symbol", "open_time", *FEATURES]
        assert {c.type_display for c in description[2:]} == {"float8"}


# Against the reference.


def test_parity_on_two_real_months(db):
    candles = real_candles("spot/BTCUSDT-1m-2026-03.zip", "spot/BTCUSDT-1m-2026-04.zip")
    matrix = assert_parity(db, "BTCUSDT", candles)
    assert len(matrix) == 44_640 + 43_200 - (FEATURE_WINDOW - 1)


@pytest.mark.parametrize("symbol", ["AVAXUSDT", "FILUSDT", "NEARUSDT"])
def test_parity_on_real_minutes_without_trades(db, symbol):
    assert_parity(db, symbol, real_candles(f"futures-um/{symbol}-1m-2026-04.csv.gz"))


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_parity_around_a_real_gap_and_no_row_across_it(db, symbol):
    candles = real_candles(f"warts/{symbol}-1m-2025-09_11-gap.csv.gz")
    matrix = assert_parity(db, symbol, candles)
    assert len(matrix) == len(candles["open_time"]) - 2 * (FEATURE_WINDOW - 1)


def test_a_missing_candle_removes_the_150_rows_that_read_it(db):
    candles = sliced(random_candles(500, seed=3), np.arange(500) != 250)
    assert_parity(db, "X", candles)
    open_time, _ = features(db, "X")
    minutes = (open_time - START) // MINUTE
    np.testing.assert_array_equal(minutes, np.r_[149:250, 400:500])


def test_149_candles_have_no_row_and_150_have_one(db):
    candles = random_candles(150, seed=4)
    insert(db, "SHORT", sliced(candles, slice(1, None)))
    assert len(features(db, "SHORT")[0]) == 0
    insert(db, "SHORT", sliced(candles, slice(1)))
    assert len(features(db, "SHORT")[0]) == 1


def test_equal_closes_after_moves_give_exactly_zero(db):
    moves = random_candles(300, seed=5, volatility=0.01, quiet=0)["close"]
    close = np.concatenate([moves, np.full(400, moves[-1])])
    matrix = assert_parity(db, "X", candles_of(close, volume=np.where(np.arange(700) < 300, 3.7, 0)))
    flat = matrix[-252:]  # from the first row with 150 equal closes
    for name in ("log_return_1m", "log_return_15m", "volatility_5m", "volatility_30m", "spread_bps", "vwap_deviation"):
        np.testing.assert_array_equal(column(flat, name), 0.0, err_msg=name)
    for name in ("rsi_14", "price_position", "taker_buy_ratio"):
        np.testing.assert_array_equal(column(flat, name), 0.5, err_msg=name)
    np.testing.assert_array_equal(column(flat, "volume_sma_ratio"), 1.0)
    assert column(matrix, "rsi_14")[-253] in {0.0, 1.0}  # a minute earlier the last move is the only one in the window


def test_parity_after_a_crash_and_a_jump_by_a_factor_of_1e18(db):
    """The removed values are far larger than the rest of the sums: a rounding error would become the result."""
    before = random_candles(200, seed=6, price=1e9, tick=1e3)["close"]
    later = random_candles(400, seed=7, price=1e-9, tick=1e-14, quiet=0.9)["close"]
    close = np.concatenate([before, later, before])
    matrix = assert_parity(db, "X", candles_of(close, volume=np.where(close > 1, 1e8, 1e-3)))
    assert column(matrix, "rsi_14").min() >= 0
    assert column(matrix, "rsi_14").max() <= 1


def test_returns_that_cancel_out_give_no_spread(db):
    """2x, x, -x, -x, 0, -x again and again: sum 0, and the products with the return before sum to 0."""
    levels = np.cumsum(np.tile([2, 1, -1, -1, 0, -1], 60))
    matrix = assert_parity(db, "X", candles_of(100 * 1.001**levels))
    np.testing.assert_array_equal(column(matrix, "spread_bps"), 0.0)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    price=st.sampled_from([1e-6, 0.07, 1.0, 60_000.0, 1e9]),
    ticks=st.sampled_from([10, 1_000, 10_000_000]),  # the price in ticks: with 10 most changes are 0 or large
    volatility=st.sampled_from([1e-6, 5e-4, 0.05]),
    quiet=st.sampled_from([0.0, 0.3, 0.97]),
    missing=st.lists(st.integers(0, 399), max_size=2),
    quoted=st.booleans(),
)
def test_parity_on_generated_candles(db, seed, price, ticks, volatility, quiet, missing, quoted):
    candles = random_candles(400, seed, price=price, tick=price / ticks, volatility=volatility, quiet=quiet)
    if quoted:
        random = np.random.default_rng(seed)
        candles["spread_bps"] = np.where(random.random(400) < 0.5, random.exponential(2, 400), np.nan)
    with db.transaction(force_rollback=True):
        assert_parity(db, "X", sliced(candles, ~np.isin(np.arange(400), missing)))


# Only the window has an effect.


def test_later_candles_change_no_earlier_row(db):
    candles = random_candles(600, seed=8)
    insert(db, "X", sliced(candles, slice(400)))
    before_time, before = features(db, "X")
    insert(db, "X", sliced(candles, slice(400, None)))
    after_time, after = features(db, "X")
    np.testing.assert_array_equal(after_time[: len(before_time)], before_time)
    np.testing.assert_array_equal(after[: len(before)], before)  # bit for bit


@pytest.mark.parametrize("candle", [0, 250])
def test_candles_before_the_window_change_no_row(db, candle):
    candles = random_candles(500, seed=9)
    insert(db, "LONG", candles)
    insert(db, "SHORT", sliced(candles, slice(candle + 1, None)))
    long_time, long = features(db, "LONG")
    short_time, short = features(db, "SHORT")
    np.testing.assert_array_equal(long_time[-len(short_time) :], short_time)
    np.testing.assert_allclose(long[-len(short) :], short, rtol=RELATIVE, atol=ABSOLUTE)


def test_features_between_gives_the_rows_from_start_to_end(db):
    insert(db, "X", random_candles(700, seed=10))
    insert(db, "OTHER", random_candles(700, seed=11, price=2.0))
    view_time, view = features(db, "X")
    for start, end in [(149, 150), (0, 150), (300, 360), (640, 9000), (400, 400), (420, 400)]:
        open_time, matrix = features(db, "X", START + start * MINUTE, START + end * MINUTE)
        chosen = (view_time >= START + start * MINUTE) & (view_time < START + end * MINUTE)
        np.testing.assert_array_equal(open_time, view_time[chosen])
        np.testing.assert_allclose(matrix, view[chosen], rtol=RELATIVE, atol=ABSOLUTE)


def test_symbols_do_not_mix(db):
    one, other = random_candles(300, seed=12), random_candles(300, seed=13, price=2.0)
    insert(db, "ALONE", one)
    expected = features(db, "ALONE")[1]
    insert(db, "OTHER", other)
    np.testing.assert_array_equal(features(db, "ALONE")[1], expected)
    counts = db.execute("select symbol, count(*) from features_1m group by symbol order by symbol").fetchall()
    assert counts == [("ALONE", 151), ("OTHER", 151)]


# Cost and rights.


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def test_features_between_is_inlined_and_reads_209_candles(db):
    insert(db, "X", random_candles(20_000, seed=14))
    db.execute("analyze candles_1m")
    end = START + 15_000 * MINUTE
    bounds = f"to_timestamp({end - 60 * MINUTE}), to_timestamp({end})"
    found = db.execute(f"explain (analyze, format json) select * from features_between('X', {bounds})").fetchone()[0]
    plan = list(nodes(found[0]["Plan"]))
    assert "Function Scan" not in {node["Node Type"] for node in plan}
    (scan,) = [node for node in plan if node.get("Relation Name") == "candles_1m"]
    assert scan["Node Type"] in {"Index Scan", "Bitmap Heap Scan"}
    assert scan["Actual Rows"] == 60 + FEATURE_WINDOW - 1
    assert not scan.get("Rows Removed by Filter")
    assert not scan.get("Rows Removed by Index Recheck")
    assert plan[0]["Actual Rows"] == 60


def test_the_view_reads_only_the_symbol_asked_for(db):
    for number in range(3):
        insert(db, f"S{number}", random_candles(2_000, seed=number))
    db.execute("analyze candles_1m")
    found = db.execute("explain (analyze, format json) select * from features_1m where symbol = 'S1'").fetchone()[0]
    scans = [node for node in nodes(found[0]["Plan"]) if node.get("Relation Name") == "candles_1m"]
    assert sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in scans) < 2_000 + 20


def test_a_reader_reads_features_under_any_search_path(db):
    insert(db, "X", random_candles(150, seed=15))
    db.execute("set role candlecast_reader")
    db.execute("set search_path = pg_temp")
    assert db.execute("select count(*) from public.features_1m").fetchone() == (1,)
    query = "select count(*) from public.features_between('X', '-infinity', 'infinity')"
    assert db.execute(query).fetchone() == (1,)
