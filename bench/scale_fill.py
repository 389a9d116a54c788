"""Fills a database for ``python -m bench.scale``: symbols, ensembles, years of candles, millions of predictions."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg

from bench.programs import migrate
from candlecast.core.feature_names import FEATURES
from candlecast.trainer.models.training import TrainingOptions
from candlecast.trainer.operation.train import train

ROOT = Path(__file__).resolve().parents[1]
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
CANDLE_DAYS = 3 * 365
#: Two ensembles of each symbol predict five horizons every minute.
ROWS_A_MINUTE = 2 * 5 * len(SYMBOLS)
#: Days for which an ensemble is live, and on test; then the next one comes.
LIVE_DAYS, TEST_DAYS = 90, 30
#: The settings keep_runs and, of the hourly sums, everything.
RUN_DAYS = 30
#: The setting keep_measurements.
MEASURED_DAYS = 365
#: Days whose predictions are inserted after the tables were vacuumed, with all indexes there, as live ones are.
FRESH_DAYS = 10
OnStep = Callable[[int, int, str], None]

#: Of a number, another one in [-1, 1] that looks random; the same each time.
_NOISE = "(hashint8({}) / 2147483648.0::float8)"
_CANDLES = f"""
insert into candles_1m (symbol, open_time, open, high, low, close, volume, quote_asset_volume,
    taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades)
select symbol, open_time, price, price * 1.0002, price * 0.9998, price, volume, volume * price, volume * taker,
    volume * price * taker, 1000
from (
    select
        %(symbol)s::text as symbol,
        minute as open_time,
        1000 * exp(sum(0.0004 * {_NOISE.format("number")}) over (order by minute)) as price,
        50 + 49 * {_NOISE.format("number + 1")} as volume,
        0.5 + 0.4 * {_NOISE.format("number + 2")} as taker
    from generate_series(
        date_trunc('minute', now()) - %(days)s * interval '1 day', date_trunc('minute', now()) - interval '1 minute',
        interval '1 minute'
    ) as minute
    cross join lateral (values (extract(epoch from minute)::bigint + hashtext(%(symbol)s))) as numbered (number)
) as made
order by open_time"""
_VERSIONS = """
select mamba_version_id, lgbm_version_id, mamba_weight::float8, calibration, golden::text
from active_ensembles where symbol = 'DEMO'"""
#: The trained version again under another name.
_COPY = """
select register_model(
    model_type, %(version)s, %(symbol)s, model_path, facts || jsonb_build_object('symbol', %(symbol)s::text),
    (select array_agg(name order by name) from model_artifacts where model_version_id = measured.id),
    (select array_agg(content order by name) from model_artifacts where model_version_id = measured.id)
)
from model_versions as measured where id = %(id)s"""
#: Ensembles of before, one after the other; and who predicted when.
_STRETCHES = f"""
create temp table stretches as
select
    symbol, ensemble.id as ensemble_id, is_test, slice,
    date_trunc('minute', now()) - (slice + 1) * days * interval '1 day' as from_time,
    date_trunc('minute', now()) - slice * days * interval '1 day' as to_time
from active_ensembles as ensemble
cross join lateral (
    select case when ensemble.is_test then {TEST_DAYS} else {LIVE_DAYS} end
) as length (days)
cross join lateral generate_series(0, %(days)s::integer / days) as slice
where symbol = any(%(symbols)s);
with retired as (
    insert into active_ensembles (symbol, mamba_version_id, lgbm_version_id, feature_hash, mamba_weight, is_retired,
        created_at, changed_at)
    select stretch.symbol, mamba_version_id, lgbm_version_id, feature_hash,
        0.0001 * (1 + slice) + stretch.is_test::integer * 0.1, true, from_time, to_time
    from stretches as stretch
    inner join active_ensembles as ensemble on ensemble.id = stretch.ensemble_id
    where slice > 0
    returning id, symbol, mamba_weight
)
update stretches as stretch set ensemble_id = retired.id
from retired
where retired.symbol = stretch.symbol and slice > 0
    and retired.mamba_weight = 0.0001 * (1 + slice) + stretch.is_test::integer * 0.1"""
_PREDICTIONS = f"""
insert into predictions (symbol, ensemble_id, candle_time, target_time, horizon, predicted_close, predicted_price,
    reference_close, mamba_close, lgbm_close, confidence, probability_up, lower_price, upper_price, abstained,
    out_of_distribution, furthest_feature, created_at, latency_ms)
select candle.symbol, ensemble_id, open_time, open_time + horizon * interval '1 minute', horizon, guess,
    close * exp(guess), close, 0.9 * guess, 1.1 * guess, 0.9, 0.5 + 100 * guess, close * exp(guess - 0.0005),
    close * exp(guess + 0.0005), false, abs(guess) > 0.000499, case when abs(guess) > 0.000499 then 'volume' end,
    open_time + interval '62 seconds', 8
from candles_1m as candle
inner join stretches as stretch
    on candle.symbol = stretch.symbol and open_time >= from_time and open_time < to_time
cross join generate_series(1, 5) as horizon
cross join lateral (
    values (0.0005 * {_NOISE.format("extract(epoch from open_time)::bigint * 8 + horizon + 977 * ensemble_id")})
) as guessed (guess)
where open_time >= %(from_time)s and open_time < %(to_time)s
order by open_time, candle.symbol, ensemble_id, horizon"""
_RUNS = f"""
insert into inference_runs (symbol, ensemble_id, candle_time, status, started_at, finished_at, mamba_runtime, load_ms,
    wait_ms, features_ms, models_ms, write_ms, latency_ms, error)
select symbol, ensemble_id, minute, case when fails then 'failed' else 'predicted' end, minute + interval '1 minute',
    minute + interval '63 seconds', 'onnx', 250, 2300, 3, 2, 1, 5 + noise * 4, case when fails then 'a gap' end
from generate_series(
    date_trunc('minute', now()) - {RUN_DAYS} * interval '1 day', date_trunc('minute', now()) - interval '2 minutes',
    interval '1 minute'
) as minute
cross join stretches
cross join lateral (values ({_NOISE.format("extract(epoch from minute)::bigint + ensemble_id")})) as made (noise)
cross join lateral (values (noise > 0.999)) as fate (fails)
where slice = 0"""
#: The sums of runs that were pruned: aggregate_hours() cannot make them.
_RUN_HOURS = f"""
insert into runs_hourly
select symbol, ensemble_id, 'predicted', hour, 60, 60, 420, 10, 50, 60, 60, 60, 60, 60, 60, 60
from stretches
cross join lateral generate_series(
    greatest(date_bin('1 hour', from_time, '2000-01-01 00:00+00'), %(since)s), to_time - interval '1 hour', '1 hour'
) as hour
where hour < now() - {RUN_DAYS} * interval '1 day' - interval '1 hour'
on conflict do nothing"""
#: Of whoever was live when the day's drift was measured.
_DRIFT = f"""
insert into feature_drift (symbol, day, ensemble_id, feature, rows, psi, ks, threshold, model_type, version,
    measured_at)
select symbol, day, ensemble_id, feature, 1440, 0.1 * exp(2 * noise), 0.12 + 0.1 * noise,
    0.5 + 0.25 * {_NOISE.format("hashtext(feature)")}, 'lgbm', 'live', measured_at
from stretches
cross join generate_series(current_date - {MEASURED_DAYS}, current_date - 1, interval '1 day') as day
cross join lateral (values (day + interval '1 day 20 minutes')) as daily (measured_at)
cross join unnest(%(features)s::text[]) as feature
cross join lateral (
    values ({_NOISE.format("extract(epoch from day)::bigint + hashtext(symbol || feature)")})
) as made (noise)
where not is_test and measured_at >= from_time and measured_at < to_time
order by day, symbol, feature"""
#: Of all that predicted on the day; one in a hundred saw a candle that was corrected afterwards.
_CHECKS = f"""
insert into consistency_checks (symbol, day, ensemble_id, sampled, mismatches, corrected, worst, tolerance,
    example_time, cause, reason, checked_at)
select symbol, day, ensemble_id, 60, coalesce(wrong, 0), coalesce(wrong, 0), coalesce(worst, 1e-7), 1e-5,
    example_time, cause, reason, day + interval '1 day 20 minutes'
from stretches
cross join generate_series(current_date - {MEASURED_DAYS}, current_date - 1, interval '1 day') as day
left join lateral (
    values (6, 0.8, day + interval '13 hours', 'candle', 'the candle at 12:50 was corrected since')
) as corrected (wrong, worst, example_time, cause, reason)
    on {_NOISE.format("extract(epoch from day)::bigint + ensemble_id")} > 0.98
where from_time < day + interval '1 day' and to_time > day
order by day, symbol, ensemble_id"""
_INDEXES = """
select format('alter table predictions drop constraint %I', conname),
    format('alter table predictions add constraint %I %s', conname, pg_get_constraintdef(oid))
from pg_constraint where conrelid = 'predictions'::regclass and contype in ('p', 'u')
union all
select format('drop index %I', relname), pg_get_indexdef(oid)
from pg_class inner join pg_index on indexrelid = oid
where indrelid = 'predictions'::regclass
    and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u'))"""


def fill(url: str, rows: int, on_step: OnStep) -> None:
    """Migrate the empty database at this URL, and fill it; ``on_step`` hears of each step."""
    migrate(url)
    days = rows / ROWS_A_MINUTE / 1_440
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("set timezone = 'UTC'; set work_mem = '256MB'; set maintenance_work_mem = '1GB'")
        db.execute("select generate_demo_candles(now(), 10)")
        on_step(1, 8, "models")
        _train(url)
        on_step(2, 8, "ensembles")
        measured = db.execute(_VERSIONS).fetchone()
        for symbol in SYMBOLS:
            active, _ = (_ensemble(db, measured, symbol, is_test=is_test) for is_test in (False, True))
            db.execute("select activate_ensemble(%s)", [active])
        db.execute("delete from predictions")
        on_step(3, 8, "candles")
        db.execute("set session_replication_role = replica")  # no key is looked up 20 million times
        for symbol in SYMBOLS:
            db.execute(_CANDLES, {"symbol": symbol, "days": CANDLE_DAYS})
        db.execute("update active_ensembles set is_active = false, is_retired = true where symbol = 'DEMO'")
        since = "now() - interval '29 days'"
        db.execute(f"update active_ensembles set created_at = {since}, changed_at = {since}")
        with psycopg.ClientCursor(db) as cursor:
            cursor.execute(_STRETCHES, {"symbols": list(SYMBOLS), "days": max(int(days) + 1, MEASURED_DAYS)})
        on_step(4, 8, "predictions")
        indexes = db.execute(_INDEXES).fetchall()
        for drop, _ in indexes:
            db.execute(drop)
        (since, fresh, until) = db.execute(
            "select date_bin('1 minute', now() - %s * interval '1 day', '2000-01-01 00:00+00'),"
            " date_bin('1 minute', now() - %s * interval '1 day', '2000-01-01 00:00+00'), now()",
            [days, min(FRESH_DAYS, days / 4)],
        ).fetchone()
        _predict(db, since, fresh)
        on_step(5, 8, "indexes")
        for _, create in indexes:
            db.execute(create)
        db.execute("vacuum (analyze)")
        on_step(6, 8, "predictions of the last days")
        _predict(db, fresh, until)
        on_step(7, 8, "runs and measurements")
        db.execute(_RUNS)
        db.execute(_RUN_HOURS, {"since": since})
        db.execute(_DRIFT, {"features": list(FEATURES)})
        db.execute(_CHECKS)
        db.execute("analyze")
        on_step(8, 8, "")


def _predict(db: psycopg.Connection, since, until) -> None:
    edges = db.execute(
        "select edge, least(edge + interval '10 days', %(until)s)"
        " from generate_series(%(since)s, %(until)s, interval '10 days') as edge where edge < %(until)s",
        {"since": since, "until": until},
    )
    for from_time, to_time in edges.fetchall():
        db.execute(_PREDICTIONS, {"from_time": from_time, "to_time": to_time})


def _train(url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="candlecast-scale-") as models:
        train(
            symbol="DEMO", from_time=None, to_time=None, test_from=None, time_budget_minutes=0.1, seed=0,
            mamba_seeds=TrainingOptions().mamba_seeds, threads=1, publish_as="active", models=Path(models),
            database_url=url,
        )  # fmt: skip


def _ensemble(db: psycopg.Connection, measured: tuple, symbol: str, *, is_test: bool) -> int:
    *versions, weight, calibration, golden = measured
    names = {"symbol": symbol, "version": "test" if is_test else "live"}
    copies = [db.execute(_COPY, names | {"id": one}).fetchone()[0] for one in versions]
    query = "select create_ensemble(%s, %s, %s, %s, %s, %s, %s)"
    return db.execute(query, [*copies, weight, is_test, symbol, calibration, golden]).fetchone()[0]
