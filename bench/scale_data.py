"""The data of ``python -m bench scale``: symbols, ensembles, years of candles, millions of predictions."""

import math
from datetime import UTC, datetime, timedelta

import psycopg

from bench.database import Ensemble, fill_and_train
from bench.figures import OnStep
from candlecast.core.feature_names import FEATURES

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
CANDLE_DAYS = 3 * 365
#: Two ensembles of each symbol predict five horizons every minute.
ROWS_A_MINUTE = 2 * 5 * len(SYMBOLS)
#: Days for which an ensemble is active, and on test, before the next one replaces it.
LIVE_DAYS, TEST_DAYS = 90, 30
#: The setting keep_runs. Hourly sums are kept without limit.
RUN_DAYS = 30
#: The setting keep_measurements.
MEASURED_DAYS = 365
#: Days whose predictions are inserted after VACUUM and with all indexes, like live predictions.
FRESH_DAYS = 10

#: A deterministic pseudo-random number in [-1, 1] from a number.
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
#: Earlier ensembles, one after the other, and when each of them predicted.
_PERIODS = f"""
create temp table periods as
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
    select period.symbol, mamba_version_id, lgbm_version_id, feature_hash,
        0.0001 * (1 + slice) + period.is_test::integer * 0.1, true, from_time, to_time
    from periods as period
    inner join active_ensembles as ensemble on ensemble.id = period.ensemble_id
    where slice > 0
    returning id, symbol, mamba_weight
)
update periods as period set ensemble_id = retired.id
from retired
where retired.symbol = period.symbol and slice > 0
    and retired.mamba_weight = 0.0001 * (1 + slice) + period.is_test::integer * 0.1"""
_PREDICTIONS = f"""
insert into predictions (symbol, ensemble_id, candle_time, target_time, horizon, predicted_close, predicted_price,
    reference_close, mamba_close, lgbm_close, confidence, probability_up, lower_price, upper_price, abstained,
    out_of_distribution, furthest_feature, created_at, latency_ms)
select candle.symbol, ensemble_id, open_time, open_time + horizon * interval '1 minute', horizon, guess,
    close * exp(guess), close, 0.9 * guess, 1.1 * guess, 0.9, 0.5 + 100 * guess, close * exp(guess - 0.0005),
    close * exp(guess + 0.0005), false, abs(guess) > 0.000499, case when abs(guess) > 0.000499 then 'volume' end,
    open_time + interval '62 seconds', 8
from candles_1m as candle
inner join periods as period
    on candle.symbol = period.symbol and open_time >= from_time and open_time < to_time
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
cross join periods
cross join lateral (values ({_NOISE.format("extract(epoch from minute)::bigint + ensemble_id")})) as made (noise)
cross join lateral (values (noise > 0.999)) as fate (fails)
where slice = 0"""
#: The hourly sums of pruned runs, which aggregate_hours() cannot compute.
_RUN_HOURS = f"""
insert into runs_hourly
select symbol, ensemble_id, 'predicted', hour, 60, 60, 420, 10, 50, 60, 60, 60, 60, 60, 60, 60
from periods
cross join lateral generate_series(
    greatest(date_bin('1 hour', from_time, '2000-01-01 00:00+00'), %(since)s), to_time - interval '1 hour', '1 hour'
) as hour
where hour < now() - {RUN_DAYS} * interval '1 day' - interval '1 hour'
on conflict do nothing"""
#: Drift of the ensemble that was active when the day was measured.
_DRIFT = f"""
insert into feature_drift (symbol, day, ensemble_id, feature, rows, psi, ks, threshold, model_type, version,
    measured_at)
select symbol, day, ensemble_id, feature, 1440, 0.1 * exp(2 * noise), 0.12 + 0.1 * noise,
    0.5 + 0.25 * {_NOISE.format("hashtext(feature)")}, 'lgbm', 'live', measured_at
from periods
cross join generate_series(current_date - {MEASURED_DAYS}, current_date - 1, interval '1 day') as day
cross join lateral (values (day + interval '1 day 20 minutes')) as daily (measured_at)
cross join unnest(%(features)s::text[]) as feature
cross join lateral (
    values ({_NOISE.format("extract(epoch from day)::bigint + hashtext(symbol || feature)")})
) as made (noise)
where not is_test and measured_at >= from_time and measured_at < to_time
order by day, symbol, feature"""
#: Checks of all ensembles that predicted on the day.
_CHECKS = f"""
insert into consistency_checks (symbol, day, ensemble_id, sampled, mismatches, worst, tolerance, checked_at)
select symbol, day, ensemble_id, 60, 0, 1e-7, 1e-5, day + interval '1 day 20 minutes'
from periods
cross join generate_series(current_date - {MEASURED_DAYS}, current_date - 1, interval '1 day') as day
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
    """Fill the migrated, empty database at this URL. ``on_step`` counts the days that have predictions."""
    days = rows / ROWS_A_MINUTE / 1_440
    fill_and_train(url, 0.1, 0, days=10)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("set timezone = 'UTC'; set work_mem = '256MB'; set maintenance_work_mem = '1GB'")
        _ensembles(db)
        for symbol in SYMBOLS:
            db.execute(_CANDLES, {"symbol": symbol, "days": CANDLE_DAYS})
        with psycopg.ClientCursor(db) as cursor:
            cursor.execute(_PERIODS, {"symbols": list(SYMBOLS), "days": max(int(days) + 1, MEASURED_DAYS)})
        indexes = db.execute(_INDEXES).fetchall()
        for drop, _ in indexes:
            db.execute(drop)
        until = datetime.now(UTC).replace(second=0, microsecond=0)
        since, fresh = until - timedelta(days=days), until - timedelta(days=min(FRESH_DAYS, days / 4))
        _predict(db, since, fresh, on_step)
        for _, create in indexes:
            db.execute(create)
        db.execute("vacuum (analyze)")
        _predict(db, fresh, until, on_step)
        db.execute(_RUNS)
        db.execute(_RUN_HOURS, {"since": since})
        db.execute(_DRIFT, {"features": list(FEATURES)})
        db.execute(_CHECKS)
        db.execute("analyze")


def _ensembles(db: psycopg.Connection) -> None:
    """Create an active ensemble and one on test for each symbol, 29 days old. Retire DEMO's ensembles."""
    measured = Ensemble.newest(db)
    for symbol in SYMBOLS:
        active = measured.copied(db, symbol, "live").create(db, symbol)
        measured.copied(db, symbol, "test").create(db, symbol, is_test=True)
        db.execute("select activate_ensemble(%s)", [active])
    db.execute("delete from predictions")
    db.execute("set session_replication_role = replica")  # skip foreign key checks of 20 million rows
    db.execute("update active_ensembles set is_active = false, is_retired = true where symbol = 'DEMO'")
    since = "now() - interval '29 days'"
    db.execute(f"update active_ensembles set created_at = {since}, changed_at = {since}")


def _predict(db: psycopg.Connection, since: datetime, until: datetime, on_step: OnStep) -> None:
    """Insert predictions, ten days at a time."""
    for day in range(0, math.ceil((until - since) / timedelta(days=1)), 10):
        on_step(day, (until - since).days, "predictions")
        from_time = since + timedelta(days=day)
        to_time = min(from_time + timedelta(days=10), until)
        db.execute(_PREDICTIONS, {"from_time": from_time, "to_time": to_time})
