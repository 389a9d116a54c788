"""measure_drift(): the features of a day, compared with those of the training."""

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import pytest
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb
from scipy import stats

from candlecast.core.distribution import FIELD, MIN_SHARE, STEPS
from candlecast.core.feature_names import FEATURES
from tests.support.artifacts import FIRST_MINUTE
from tests.support.deployment import MINUTE, NEWEST, register
from tests.support.documents import blocks
from tests.support.paths import ROOT

DAY = NEWEST.date()
VOLUMES = {"volume", "quote_asset_volume", "taker_buy_base_asset_volume", "taker_buy_quote_asset_volume"}
#: Half of a day: 00:00 to 11:59.
ROWS = 720
NEW_CANDLES = """
insert into candles_1m (symbol, open_time, open, high, low, close, volume, quote_asset_volume,
    taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades)
select %s, open_time, open, high, low, close, volume, quote_asset_volume,
    taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades
from candles_1m where symbol = 'DEMO'"""


@pytest.fixture(scope="module")
def session_url(make_shared_database, live_template):
    return make_shared_database(live_template)


@pytest.fixture(scope="module")
def session(session_url):
    with psycopg.connect(session_url, autocommit=True, row_factory=namedtuple_row) as connection:
        yield connection


@pytest.fixture
def live(session):
    """A transaction in a clone of `live_template`, rolled back; loaded models stay cached, rows have names."""
    with session.transaction(force_rollback=True):
        yield session


def measure(db, day=DAY):
    return db.execute("select * from measure_drift(%s)", (day,)).fetchall()


def stored(db):
    return db.execute("select * from feature_drift order by symbol, day, ensemble_id, feature").fetchall()


def seen(artifacts) -> dict:
    facts = json.loads((Path(artifacts[0]) / "facts.json").read_text())
    return facts[FIELD]


def normalized_day(db, artifacts) -> pd.DataFrame:
    """The day's rows as the models read them, computed from the parameter file with pandas."""
    query = f"select {', '.join(FEATURES)} from features_between('DEMO', %s, %s) order by open_time"
    raw = pd.DataFrame(db.execute(query, (DAY, NEWEST + MINUTE)).fetchall(), columns=FEATURES)
    close = raw["close"].copy()
    params = json.loads((Path(artifacts[0]) / "normalization_params_v1.json").read_text())
    for one in params["features"]:
        column = raw[one["name"]]
        if one["method"] == "relative_to_last_close":
            column = column / close - 1.0
        elif one["method"] == "log1p":
            column = np.log1p(column)
        raw[one["name"]] = ((column - one["center"]) / one["scale"]).clip(-one["clip"], one["clip"])
    return raw.astype(np.float32)


def test_the_figures_of_a_day_equal_pandas_and_scipy(live, artifacts):
    rows = measure(live)
    assert len(rows) == len(FEATURES)
    given, document = normalized_day(live, artifacts), seen(artifacts)
    assert len(given) == ROWS
    for row in rows:
        assert (row.symbol, row.day, row.ensemble_id, row.rows, row.reason) == ("DEMO", DAY, 1, ROWS, None)
        kept = document["features"][row.feature]
        deciles = [  # the first edge with n tenths of the training rows at or below it
            next(
                edge
                for edge, upto in zip(kept["edges"], kept["upto"], strict=True)
                if 10 * upto >= n * document["rows"]
            )
            for n in range(1, 10)
        ]
        values = given[row.feature]
        if len(set(deciles)) == 9:
            edges = np.array(deciles, np.float32)
            upto = [
                0,
                *(dict(zip(kept["edges"], kept["upto"], strict=True))[edge] for edge in deciles),
                document["rows"],
            ]
            e = np.maximum(np.diff(upto) / document["rows"], MIN_SHARE)
            counted = np.bincount(np.searchsorted(edges, values, side="left"), minlength=10) / ROWS
            a = np.maximum(counted, MIN_SHARE)
            assert row.psi == pytest.approx(((a - e) * np.log(a / e)).sum(), abs=1e-9), row.feature
        assert row.threshold == max(0.25, kept["furthest_day"] or 0)
        assert row.drifted == (row.psi > row.threshold)
    assert stored(live) == sorted(rows, key=lambda row: row.feature)


def test_the_distance_is_measured_from_the_training_rows(live, artifacts):
    """It differs from SciPy's, on the training rows themselves, by at most one step of the stored quantiles."""
    from candlecast.core.normalization import parse_normalization
    from candlecast.trainer.data.dataset import normalize_last_rows
    from candlecast.trainer.data.splits import choose_borders, split_by_time
    from tests.support.artifacts import generated_dataset

    dataset = generated_dataset()
    training = split_by_time(dataset.candle_time, *choose_borders(dataset.candle_time, None)).training
    assert len(training) == seen(artifacts)["rows"]
    params = parse_normalization((Path(artifacts[0]) / "normalization_params_v1.json").read_bytes())
    trained_on, given = normalize_last_rows(dataset, training, params), normalized_day(live, artifacts)
    for row in measure(live):
        values = trained_on[:, FEATURES.index(row.feature)]
        true = stats.ks_2samp(given[row.feature].to_numpy(), values, method="asymp").statistic
        assert true - 1 / STEPS <= row.ks <= true + 1e-9, row.feature


def test_a_training_day_has_no_drift(live):
    live.execute("delete from candles_1m")
    first = datetime.fromtimestamp(FIRST_MINUTE * 60, UTC)
    live.execute("select generate_demo_candles(%s, 3)", (first + 3 * 1440 * MINUTE,))
    for number in (1, 2):
        day = (first + number * 1440 * MINUTE).date()
        rows = measure(live, day)
        assert {row.rows for row in rows} == {1440}
        assert not [row for row in rows if row.drifted]
        for row in rows:
            assert row.psi <= row.threshold + 1e-4, (day, row.feature)


def test_only_shifted_features_have_drift(live):
    before = {row.feature: row for row in measure(live)}
    live.execute(f"update candles_1m set {', '.join(f'{name} = 20 * {name}' for name in VOLUMES)}")
    after = {row.feature: row for row in measure(live)}
    assert {name for name in FEATURES if after[name].drifted and not before[name].drifted} >= VOLUMES
    for name in VOLUMES:
        assert after[name].psi > 2
        assert after[name].ks > 0.8
    touched = {*VOLUMES, "vwap_deviation", "volume_sma_ratio"}  # ratios of volumes: equal except for rounding
    for name in set(FEATURES) - touched:
        assert (after[name].psi, after[name].ks) == (before[name].psi, before[name].ks), name


def test_a_new_price_level_is_no_drift(live):
    before = {row.feature: (row.psi, row.ks) for row in measure(live)}
    prices = ("open", "high", "low", "close", "quote_asset_volume", "taker_buy_quote_asset_volume")
    live.execute(f"update candles_1m set {', '.join(f'{name} = 1024 * {name}' for name in prices)}")
    for row in measure(live):
        if row.feature not in VOLUMES:
            assert (row.psi, row.ks) == pytest.approx(before[row.feature], abs=1e-9), row.feature


@pytest.mark.parametrize(("minutes", "measured"), [(199, False), (200, True)])
def test_a_day_with_too_few_rows_has_a_reason_and_no_figures(live, minutes, measured):
    live.execute(
        "delete from candles_1m where open_time >= %s",
        (datetime.combine(DAY, datetime.min.time(), UTC) + minutes * MINUTE,),
    )
    rows = measure(live)
    assert {(row.rows, row.psi is not None, row.reason is None) for row in rows} == {(minutes, measured, measured)}
    if not measured:
        assert {row.drifted for row in rows} == {None}
        assert rows[0].reason.startswith("DEMO has 199 feature rows on 2026-05-02; a measurement needs 200.")


def test_a_day_without_candles_has_no_figures(live):
    rows = measure(live, "2020-02-29")
    assert {(row.rows, row.psi, row.ks, row.threshold) for row in rows} == {(0, None, None, None)}
    assert "DEMO has 0 feature rows on 2020-02-29" in rows[0].reason


FACTS = "update model_versions set facts = {} where model_type = 'lgbm'"
DAMAGED = "update model_artifacts set content = 'x' where model_version_id = 1 and name like 'normalization%'"


@pytest.mark.parametrize(
    ("damage", "broken", "reason"),
    [
        (
            FACTS.format(f"facts - '{FIELD}'"),
            "lgbm",
            "has no stored distribution of its training rows. It was trained by an older release",
        ),
        (FACTS.format(f"jsonb_set(facts, '{{{FIELD},rows}}', '0')"), "lgbm", "distribution is not valid: rows is 0"),
        (DAMAGED, "mamba", "its bytes do not match their sha256"),
        (
            "update model_artifacts set name = 'moved' where model_version_id = 1 and name like 'norm%'",
            "mamba",
            "no such",
        ),
    ],
    ids=["none", "invalid", "damaged", "missing"],
)
def test_if_one_version_fails_the_other_is_measured(live, damage, broken, reason):
    before = {row.feature: row.psi for row in measure(live)}
    live.execute(damage)
    (other,) = {"mamba", "lgbm"} - {broken}
    for row in measure(live):
        assert (row.model_type, row.psi) == (other, before[row.feature])
        assert reason in row.reason


def test_if_both_versions_fail_there_are_no_figures(live):
    live.execute(f"update model_versions set facts = facts - '{FIELD}'")
    for row in measure(live):
        assert (row.rows, row.psi, row.ks, row.threshold, row.drifted, row.version) == (ROWS, *[None] * 5)
        assert re.findall(r"(mamba|lgbm) version \S+ has no stored distribution", row.reason) == ["mamba", "lgbm"]


def test_of_two_versions_the_larger_distance_counts(live, artifacts):
    assert {row.model_type for row in measure(live)} == {"mamba"}, "both have the same training rows"
    document = seen(artifacts)
    document["features"]["rsi_14"]["edges"] = [edge + 5 for edge in document["features"]["rsi_14"]["edges"]]
    document["features"]["volume"]["furthest_day"] = 100
    live.execute("update model_versions set facts = facts || %s where model_type = 'lgbm'", (Jsonb({FIELD: document}),))
    rows = {row.feature: row for row in measure(live)}
    assert {name for name, row in rows.items() if row.model_type == "lgbm"} == {"rsi_14"}
    assert rows["rsi_14"].drifted
    assert rows["volume"].threshold < 100


def test_an_ensemble_of_other_features_has_a_reason(live):
    live.execute(
        "alter table active_ensembles drop constraint active_ensembles_mamba_version_id_mamba_type_feature_hash_fkey"
    )
    live.execute(
        "alter table active_ensembles drop constraint active_ensembles_lgbm_version_id_lgbm_type_feature_hash_fkey"
    )
    live.execute("update active_ensembles set feature_hash = 'x'")
    assert {row.reason.split(".")[0] for row in measure(live)} == {
        "ensemble 1 of DEMO was trained on different features than this server computes"
    }


def test_the_same_day_again_replaces_its_rows(live):
    first = measure(live)
    live.execute("update candles_1m set volume = 20 * volume, quote_asset_volume = 20 * quote_asset_volume")
    second = measure(live)
    assert stored(live) == sorted(second, key=lambda row: row.feature)
    assert len(second) == len(first)
    assert min(row.measured_at for row in second) > max(row.measured_at for row in first)
    assert [row.psi for row in second] != [row.psi for row in first]
    live.execute("delete from candles_1m")
    measure(live)
    assert {(row.rows, row.psi) for row in stored(live)} == {(0, None)}


def other_symbol(db, artifacts) -> int:
    """Add the symbol OTHER with the candles of DEMO and the same models, and activate its ensemble."""
    db.execute(NEW_CANDLES, ("OTHER",))
    ids = [register(db, Path(folder), symbol="OTHER", facts={"symbol": "OTHER"}) for folder in artifacts]
    (ensemble,) = db.execute("select create_ensemble(%s, %s)", ids).fetchone()
    db.execute("select activate_ensemble(%s)", (ensemble,))
    return ensemble


def test_each_symbol_is_measured_by_its_own_candles(live, artifacts):
    ensemble = other_symbol(live, artifacts)
    live.execute("delete from candles_1m where symbol = 'OTHER' and open_time >= %s", (NEWEST,))
    rows = measure(live)
    assert {(row.symbol, row.ensemble_id, row.rows) for row in rows} == {("DEMO", 1, 720), ("OTHER", ensemble, 719)}
    assert len(rows) == 2 * len(FEATURES)


def test_candlecast_cron_measures_yesterday_by_default(live):
    live.execute("set local session authorization candlecast_cron")
    (days,) = live.execute("select array_agg(distinct day) from measure_drift()").fetchone()
    (yesterday,) = live.execute("select (now() at time zone 'UTC')::date - 1").fetchone()
    assert days == [yesterday]
    for settings in ("set local timezone = 'Pacific/Kiritimati'", "set local datestyle = 'German'"):
        live.execute(settings)
        assert live.execute("select count(psi) from measure_drift(%s)", (DAY,)).fetchone() == (27,)


@pytest.mark.parametrize(
    ("day", "sqlstate"),
    [("infinity", "CC029"), ("0044-03-15 BC", "CC029"), ("1969-12-31", "CC029"), ("9999-12-31", "CC025")],
)
@pytest.mark.parametrize("function", ["measure_drift", "check_consistency"])
def test_an_invalid_or_future_day_is_rejected(live, function, day, sqlstate):
    with pytest.raises(psycopg.Error) as error:
        live.execute(f"select {function}(%s)", (day,))
    assert error.value.sqlstate == sqlstate


def test_without_an_active_ensemble_nothing_is_measured(live):
    live.execute("update active_ensembles set is_active = false")
    assert measure(live) == []


def test_both_versions_store_the_distribution(live, artifacts):
    folder = Path(artifacts[0])
    ensemble = json.loads((folder.parents[1] / "ensemble" / folder.name / "facts.json").read_text())
    assert FIELD not in ensemble
    for kind, version in zip(("mamba", "lgbm"), artifacts, strict=True):
        kept = json.loads((Path(version) / "facts.json").read_text())[FIELD]
        query = "select facts -> %s from model_versions where model_type = %s"
        assert live.execute(query, (FIELD, kind)).fetchone() == (kept,)
        assert len(json.dumps(kept)) < 14_000


def test_an_invalid_distribution_is_not_registered(live, artifacts):
    broken = seen(artifacts) | {"rows": -1}
    for value in (broken, None):
        with pytest.raises(psycopg.Error) as error, live.transaction():
            register(live, Path(artifacts[0]), version="other", facts={FIELD: value, "version": "other"})
        assert error.value.sqlstate == "CC024"


def test_a_version_without_a_distribution_is_registered(live, artifacts, tmp_path):
    folder = Path(shutil.copytree(artifacts[0], tmp_path / "mamba"))
    facts = json.loads((folder / "facts.json").read_text())
    del facts[FIELD]
    (folder / "facts.json").write_text(json.dumps(facts | {"version": "older"}))
    assert register(live, folder) > 2


def metrics(db, of: str) -> dict[tuple, float]:
    """The samples of metrics() whose names begin with `of`, by (name,) or (name, feature)."""
    query = "select name, labels, value from metrics() where starts_with(name, %s)"
    found = db.execute(query, (of,)).fetchall()
    assert {row.labels["symbol"] for row in found} <= {"DEMO"}
    return {(row.name, *filter(None, [row.labels.get("feature")])): row.value for row in found}


def test_metrics_are_of_the_newest_measured_day(live):
    assert metrics(live, "ml_feature") == {}
    measure(live)
    live.execute("update feature_drift set psi = 7, ks = 0.7 where feature = 'open'")
    measure(live, "2026-05-03")  # has no candles, so the metrics stay those of DAY
    found = metrics(live, "ml_feature")
    assert len(found) == 2 * len(FEATURES) + 2
    assert (found["ml_feature_drift_psi", "open"], found["ml_feature_drift_ks", "open"]) == (7, 0.7)
    for name, psi in live.execute("select feature, psi from feature_drift where day = %s", (DAY,)).fetchall():
        assert found["ml_feature_drift_psi", name] == psi
    drifted = live.execute("select feature from feature_drift where drifted").fetchall()
    assert found["ml_features_drifted",] == len(drifted) >= 1
    (age,) = live.execute(
        "select extract(epoch from now() - %s)::float8", (datetime(2026, 5, 3, tzinfo=UTC),)
    ).fetchone()
    assert found["ml_feature_drift_age_seconds",] == pytest.approx(age)
    # A day that is not over does not count.
    live.execute("update feature_drift set day = (now() at time zone 'UTC')::date where day = %s", (DAY,))
    assert metrics(live, "ml_feature") == {}


@pytest.mark.parametrize(
    ("keep", "left"), [("none", 3), ("36500 d", 3), ("2 d", 2), ("1 d", 1)], ids=["all", "a century", "2 days", "1 day"]
)
def test_measurements_after_their_retention_are_deleted(live, keep, left):
    live.execute("update ml_settings set value = %s where name = 'keep_measurements'", (keep,))
    (today,) = live.execute("select (now() at time zone 'UTC')::date").fetchone()
    for age in (1, 2, 40):
        measure(live, today - timedelta(days=age))
    assert live.execute("select prune_measurements()").fetchone() == (27 * (3 - left),)
    ages = live.execute("select distinct %s - day from feature_drift order by 1", (today,)).fetchall()
    assert ages == [(1,), (2,), (40,)][:left]


def test_the_sql_of_the_documentation_runs(live):
    text = (ROOT / "docs/explanation/drift.md").read_text()
    (query,) = blocks(text, "sql")
    live.execute(query)
    assert live.execute("select count(*) from feature_drift").fetchone() == (27,)
