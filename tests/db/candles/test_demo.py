"""generate_demo_candles() continues the symbol DEMO to the last closed minute and changes no other symbol."""

import threading
from collections.abc import Callable

import psycopg
import pytest

from candlecast.server.demo import candles as demo

UNTIL = "2026-03-01 00:00:30+00"
UNTIL_MINUTE = 1_772_323_200 // 60


def generate(connection: psycopg.Connection, until: str = UNTIL, days: int = 1) -> int:
    row = connection.execute("select generate_demo_candles(%s::timestamptz, %s)", (until, days)).fetchone()
    assert row
    return row[0]


def minutes(connection: psycopg.Connection) -> tuple:
    """First minute, last minute, number of candles."""
    return (
        connection.execute(
            "select (extract(epoch from min(open_time)) / 60)::bigint,"
            " (extract(epoch from max(open_time)) / 60)::bigint, count(*) from candles_1m where symbol = 'DEMO'"
        ).fetchone()
        or ()
    )


def test_demo_candles_end_with_the_last_closed_minute(db: psycopg.Connection) -> None:
    assert generate(db, days=2) == 2880
    assert minutes(db) == (UNTIL_MINUTE - 2880, UNTIL_MINUTE - 1, 2880)
    assert db.execute("select distinct symbol from candles_1m").fetchall() == [("DEMO",)]


def test_the_stored_candles_are_those_of_the_generator(db: psycopg.Connection) -> None:
    generate(db)
    expected = demo.generate(UNTIL_MINUTE - 1440, UNTIL_MINUTE)
    rows = db.execute(
        "select (extract(epoch from open_time) / 60)::bigint, open, high, low, close, volume, quote_asset_volume,"
        " taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades from candles_1m order by 1"
    ).fetchall()
    assert rows == list(zip(*(column.tolist() for column in expected.values()), strict=True))


@pytest.mark.parametrize("pause", [1, 2, 90, 50_000])  # 50,000 minutes are more than one batch
def test_a_pause_is_filled_by_one_call_with_the_same_candles(db: psycopg.Connection, pause: int) -> None:
    later = f"(timestamptz '{UNTIL}' + interval '{pause} minutes')"
    assert generate(db) == 1440
    assert generate(db) == 0
    assert db.execute(f"select generate_demo_candles({later})").fetchone() == (pause,)
    assert minutes(db) == (UNTIL_MINUTE - 1440, UNTIL_MINUTE + pause - 1, 1440 + pause)
    at_once = demo.generate(UNTIL_MINUTE - 1440, UNTIL_MINUTE + pause)["close"].tolist()
    closes = db.execute("select close from candles_1m where symbol = 'DEMO' order by open_time").fetchall()
    assert [close for (close,) in closes] == at_once


def test_the_default_is_sixty_days_up_to_now(db: psycopg.Connection) -> None:
    with db.transaction():
        assert db.execute("select generate_demo_candles()").fetchone() == (86_400,)
        newest = db.execute(
            "select max(open_time) = date_trunc('minute', now()) - interval '1 minute' from candles_1m"
        ).fetchone()
        assert newest == (True,)
        assert generate(db, "2100-01-01 00:00+00") == 0
        assert generate(db, "infinity") == 0


def test_other_symbols_are_unchanged(db: psycopg.Connection) -> None:
    db.execute(
        "insert into candles_1m (open_time, open, high, low, close, volume, quote_asset_volume,"
        " taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades)"
        " values ('2026-02-28 23:00+00', 1, 1, 1, 1, 0, 0, 0, 0, 0)"
    )
    assert generate(db) == 1440
    assert db.execute("select close from candles_1m where symbol = 'BTCUSDT'").fetchall() == [(1.0,)]


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns"])
@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres, MDY"])
def test_the_sessions_time_zone_and_date_style_have_no_effect(db: psycopg.Connection, zone: str, style: str) -> None:
    db.execute("select set_config('TimeZone', %s, false), set_config('DateStyle', %s, false)", (zone, style))
    generate(db)
    assert minutes(db) == (UNTIL_MINUTE - 1440, UNTIL_MINUTE - 1, 1440)


def test_concurrent_calls_insert_each_candle_once(database_url: str, db: psycopg.Connection) -> None:
    inserted: list[int] = []

    def call() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            inserted.append(generate(connection, days=10))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(inserted) == [0, 0, 0, 14_400]
    assert minutes(db)[2] == 14_400


@pytest.mark.parametrize("role", ["candlecast_cron", "candlecast_operator"])
def test_these_roles_may_generate_candles(connect_as: Callable[..., psycopg.Connection], role: str) -> None:
    assert generate(connect_as(role)) == 1440


@pytest.mark.parametrize("role", ["candlecast_reader", "candlecast_trainer", "candlecast_feeder"])
def test_these_roles_may_not_generate_candles(connect_as: Callable[..., psycopg.Connection], role: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        generate(connect_as(role))


def test_days_must_be_at_least_one(db: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error, match="days must be at least 1"):
        generate(db, days=0)
    assert minutes(db)[2] == 0
