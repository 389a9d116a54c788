"""Accuracy by coverage, compared with an independent calculation, and the constraints of predictions."""

import math
import random

import psycopg
import pytest
from statsmodels.stats.proportion import proportion_confint

from tests.support.deployment import MINUTE, NEWEST, load_demo

COVERAGES = (100, 50, 20, 10, 5)
INSERT = """
insert into predictions (symbol, candle_time, target_time, horizon, predicted_close, predicted_price, reference_close,
    mamba_close, lgbm_close, confidence, created_at, probability_up, lower_price, upper_price, out_of_distribution)
values ('DEMO', %(at)s, %(at)s + %(h)s * interval '1 minute', %(h)s, %(r)s, %(close)s, %(close)s, 0, 0, 0.5, %(made)s,
    %(p)s, %(close)s * 0.9, %(close)s * 1.1, false)"""


@pytest.fixture
def closes(db):
    load_demo(db)
    return dict(db.execute("select open_time, close from candles_1m").fetchall())


def prediction(closes, at, horizon, probability, *, up=None, made=None):
    """A prediction stored 3 s after its candle closed; `up`: its direction, by default that of its probability."""
    up = probability > 0.5 if up is None else up
    made = made or at + MINUTE + MINUTE / 20
    change = 1e-4 if up else -1e-4
    return {"at": at, "h": horizon, "p": probability, "r": change, "close": closes[at], "made": made}


def by_hand(made, closes):
    """(horizon, coverage) -> (margin, rows, hits, accuracy, low, high): sorted and counted in plain Python."""
    expected = {}
    for horizon in {row["h"] for row in made}:
        counted = []
        for row in made:
            move = closes[row["at"] + horizon * MINUTE] - row["close"]
            if row["h"] == horizon and move:
                counted.append((-abs(row["p"] - 0.5), row["at"], (row["r"] > 0) == (move > 0)))
        counted.sort()
        for coverage in COVERAGES:
            kept = counted[: math.ceil(len(counted) * coverage / 100)]
            hits, rows = sum(hit for _, _, hit in kept), len(kept)
            low, high = proportion_confint(hits / horizon, rows / horizon, method="wilson")
            expected[horizon, coverage] = (-kept[-1][0], rows, hits, hits / rows, low, high)
    return expected


def test_accuracy_by_coverage_equals_plain_python(db, closes):
    chance = random.Random(7)
    times = [NEWEST - minutes * MINUTE for minutes in range(10, 347)]
    # probabilities of two decimals, so that many are equal: then the earlier one counts
    made = [
        prediction(closes, at, horizon, round(chance.uniform(0.3, 0.7), 2), up=chance.random() < 0.5)
        for at in times
        for horizon in (1, 3, 5)
    ]
    db.cursor().executemany(INSERT, made)
    rows = db.execute("select * from accuracy_by_coverage").fetchall()
    given = {(row[2], row[3]): row[4:] for row in rows}
    assert {row[:2] for row in rows} == {("DEMO", None)}
    expected = by_hand(made, closes)
    assert given.keys() == expected.keys()
    assert len(expected) == 15
    for key, figures in expected.items():
        assert given[key] == pytest.approx(figures, rel=1e-9), key


def test_flat_replayed_open_and_uncalibrated_rows_do_not_count(db, closes):
    at = NEWEST - 20 * MINUTE
    counted = prediction(closes, at, 1, 0.6)
    others = [
        prediction(closes, at - MINUTE, 1, 0.7, made=at + 2 * MINUTE),  # stored after its target candle closed
        prediction(closes, at - 2 * MINUTE, 1, None, up=True) | {"close": closes[at]},
        prediction(closes, NEWEST, 1, 0.9),
        prediction(closes, at - 3 * MINUTE, 1, 0.9) | {"close": closes[at - 2 * MINUTE]},  # the price did not change
    ]
    db.execute("alter table predictions drop constraint predictions_calibrated_or_not")
    db.cursor().executemany(INSERT, [counted, *others])
    margins = db.execute("select coverage, rows, margin from accuracy_by_coverage").fetchall()
    assert sorted(margins) == [(coverage, 1, pytest.approx(0.1)) for coverage in sorted(COVERAGES)]


VALID = {
    "probability_up": 0.5,
    "lower_price": 99.0,
    "upper_price": 101.0,
    "abstained": False,
    "out_of_distribution": False,
    "furthest_feature": None,
}


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({}, None),
        (dict.fromkeys(VALID) | {"abstained": False}, None),
        ({"probability_up": 0.0, "abstained": True}, None),
        ({"lower_price": 100.0, "upper_price": 100.0}, None),
        ({"out_of_distribution": True, "furthest_feature": "volume"}, None),
        ({"probability_up": 1.01}, "probability_up"),
        ({"probability_up": float("nan")}, "probability_up"),
        ({"lower_price": 100.5}, "interval_around_the_price"),
        ({"upper_price": 99.5}, "interval_around_the_price"),
        ({"upper_price": None}, "calibrated_or_not"),
        ({"probability_up": None}, "calibrated_or_not"),
        ({"out_of_distribution": None}, "calibrated_or_not"),
        (dict.fromkeys(VALID) | {"abstained": True}, "abstained_by_probability"),
        ({"out_of_distribution": True}, "furthest_feature_where_out"),
        ({"furthest_feature": "volume"}, "furthest_feature_where_out"),
    ],
)
def test_constraints_reject_contradictory_predictions(shared_db, change, constraint):
    values = VALID | change
    names, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
    query = f"""
    insert into predictions (symbol, candle_time, target_time, horizon, predicted_close, predicted_price,
        reference_close, mamba_close, lgbm_close, confidence, {names})
    values ('DEMO', '{NEWEST}', '{NEWEST + MINUTE}', 1, 0, 100, 100, 0, 0, 0, {places})"""
    if constraint is None:
        assert shared_db.execute(query, values).rowcount == 1
        return
    with pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        shared_db.execute(query, values)


def test_interval_hit_is_whether_the_interval_has_the_price(db, closes):
    inside = prediction(closes, NEWEST - 9 * MINUTE, 1, 0.6)
    db.cursor().executemany(INSERT, [inside, prediction(closes, NEWEST, 1, 0.6)])
    query = "select interval_hit from prediction_outcomes order by candle_time"
    assert db.execute(query).fetchall() == [(True,), (None,)]
    price = closes[inside["at"] + MINUTE]
    db.execute("update predictions set lower_price = %s, predicted_price = %s", (price + 0.01, price + 0.02))
    assert db.execute(query).fetchall() == [(False,), (None,)]
