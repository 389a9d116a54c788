"""The stand-in behaves like the exchange: formats, limits, bans; its faults depend on the seed only."""

import asyncio
import hashlib
import io
import json
import math
import subprocess
import sys
import time
import zipfile
from collections import Counter
from contextlib import asynccontextmanager
from itertools import pairwise

import aiohttp
import httpx
import pytest

from candlecast.candles.files import read_candle_file
from candlecast.exchanges.clock import Clock
from tests.exchange import ARCHIVE_FAULTS, CONNECTION_FAULTS, FRAME_FAULTS, REQUEST_FAULTS, Faults, Market, StandIn
from tests.exchange.frames import candle_frames, csv_row, kline_row
from tests.support.paths import ROOT

DAY = 86_400
#: Start time of the exchange's clock: in the middle of a minute of the recorded month.
NOW = 1_776_340_830
MINUTE = NOW // 60 * 60


def market(faults=None, **options):
    return Market(["BTCUSDT", "AVAXUSDT"], NOW - 2 * DAY, NOW + DAY, faults, **options)


@asynccontextmanager
async def standing_in(faults=None, speed=1.0, **options):
    """The stand-in and an HTTP client."""
    exchange = StandIn(market(faults), Clock(speed, NOW), **options)
    async with exchange, httpx.AsyncClient(base_url=exchange.rest_url, trust_env=False) as http:
        yield exchange, http


def klines(**query):
    return "/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1m"} | query


async def get(http, path, params=None):
    response = await http.get(path, params=params)
    return response.json()


def test_klines_have_the_exchanges_format():
    row = market().row("BTCUSDT", MINUTE - 600, NOW)
    values = json.loads(kline_row(row))
    assert [type(value) for value in values] == [int, str, str, str, str, str, int, str, int, str, str, str]
    assert (values[0], values[6], values[11]) == ((MINUTE - 600) * 1000, (MINUTE - 540) * 1000 - 1, "0")
    assert all(len(text.split(".")[1]) == 8 for text in values[1:6])
    read = [float(text) for text in (*values[1:6], values[7], *values[9:11])]
    assert (*read, values[8]) == row[1:]
    assert csv_row(row).split(",")[1:6] == values[1:6]
    assert csv_row(row).split(",")[0] == str((MINUTE - 600) * 10**6)


@pytest.mark.parametrize(
    ("start", "end", "limit", "first", "last", "count"),
    [
        (-3_600, 3_600, 1000, -3_600, 0, 61),  # the open candle included
        (-3_600, -60, 1000, -3_600, -60, 60),
        (-3_599, -61, 1000, -3_540, -120, 58),  # off the minute: open times within
        (-DAY, 0, 1000, -DAY, -DAY + 999 * 60, 1000),  # one page from the start on
        (-DAY, 0, 5000, -DAY, -DAY + 999 * 60, 1000),
        (-DAY, None, None, -DAY, -DAY + 499 * 60, 500),
        (None, None, 3, -120, 0, 3),  # the newest
        (None, -600, 3, -720, -600, 3),
        (60, 600, 1000, None, None, 0),  # not started
        (-60, -120, 1000, None, None, 0),
    ],
)
def test_start_end_and_limit_work_as_at_the_exchange(start, end, limit, first, last, count):
    async def run():
        async with standing_in() as (_, http):
            query = {"startTime": start, "endTime": end}
            query = {name: (MINUTE + value) * 1000 for name, value in query.items() if value is not None}
            return await get(http, *klines(**query, **({"limit": limit} if limit else {})))

    rows = asyncio.run(run())
    assert len(rows) == count
    if count:
        assert [rows[0][0], rows[-1][0]] == [(MINUTE + first) * 1000, (MINUTE + last) * 1000]
        assert all(later[0] - earlier[0] == 60_000 for earlier, later in pairwise(rows))


def test_an_open_candle_grows_and_rest_is_delayed():
    one = market()
    final = one.truth("BTCUSDT", MINUTE, MINUTE + 60)[0]
    growing = [one.row("BTCUSDT", MINUTE, MINUTE + elapsed) for elapsed in (0, 10, 40, 59)]
    assert [row.number_of_trades for row in growing] == sorted({row.number_of_trades for row in growing})
    assert growing[0].volume == 0
    assert growing[-1].number_of_trades < final.number_of_trades
    for row in (*growing, final):
        assert row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high
        assert row.taker_buy_base_asset_volume <= row.volume

    async def run():
        clock = Clock(1.0, MINUTE + 60.1)  # a tenth of a second after the end, REST half a second behind
        async with (
            StandIn(one, clock) as exchange,
            httpx.AsyncClient(base_url=exchange.rest_url, trust_env=False) as http,
        ):
            return await get(http, *klines(limit=1))

    ((open_time, *values),) = asyncio.run(run())
    assert open_time == MINUTE * 1000
    assert 0 < values[7] < final.number_of_trades


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"symbol": "NOSUCH"}, -1121),
        ({"symbol": "btcusdt"}, -1100),
        ({"symbol": ""}, -1102),
        ({"interval": "1x"}, -1120),
        ({"startTime": "yesterday"}, -1100),
    ],
)
def test_invalid_requests_get_the_exchanges_error_code(query, code):
    async def run():
        async with standing_in() as (_, http):
            response = await http.get(klines()[0], params=klines()[1] | query)
            return response.status_code, response.json()["code"]

    assert asyncio.run(run()) == (400, code)


def test_weight_counts_per_minute_and_ignoring_a_429_is_banned():
    async def run():
        async with standing_in(speed=20.0, weight_limit=6) as (exchange, http):
            time_response = await http.get("/api/v3/time")
            used = [time_response.headers["X-MBX-USED-WEIGHT-1M"]]
            responses = [await http.get(*klines()[:1], params=klines()[1]) for _ in range(3)]
            used += [response.headers["X-MBX-USED-WEIGHT-1M"] for response in responses]
            assert used == ["1", "3", "5", "7"]
            over = responses[-1]
            assert [response.status_code for response in responses] == [200, 200, 429]
            assert over.json()["code"] == -1003
            left = int(over.headers["Retry-After"])
            assert 0 < left <= 60
            assert exchange.counters.violations() == {"over_limit": 1}

            await exchange.clock.sleep(left + 1)  # obeys it: accepted in the next minute
            good = await http.get("/api/v3/time")
            assert (good.status_code, good.headers["X-MBX-USED-WEIGHT-1M"]) == (200, "1")

            exchange.limits.pause(60, "another connection")
            for _ in range(2):  # may have been sent before
                assert (await http.get("/api/v3/time")).status_code == 429
            assert exchange.counters.bans_earned == 0
            banned = await http.get("/api/v3/time")
            assert (banned.status_code, banned.headers["Retry-After"]) == (418, "120")
            for _ in range(2):
                assert (await http.get(*klines()[:1], params=klines()[1])).status_code == 418
            return exchange.counters

    counters = asyncio.run(run())
    assert counters.violations() == {"over_limit": 1, "bans_earned": 1, "requests_while_banned": 1}
    assert counters.highest_weight == 7
    assert counters.answers == Counter({200: 4, 429: 3, 418: 3})


def test_archives_have_the_exchanges_format_and_delay(tmp_path):
    day = "/data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2026-04-15.zip"

    async def run():
        async with standing_in() as (exchange, http):
            content, checksum = [(await http.get(day + suffix)).content for suffix in ("", ".CHECKSUM")]
            assert checksum.decode() == f"{hashlib.sha256(content).hexdigest()}  BTCUSDT-1m-2026-04-15.zip\n"
            for missing in (
                day.replace("-15.zip", "-16.zip"),  # today's
                day.replace("daily", "monthly").replace("-15.zip", ".zip"),  # this month's
                day.replace("BTCUSDT", "NOSUCH"),
                day.replace("-15.zip", "-31.zip"),
            ):
                assert (await http.get(missing)).status_code == 404
            name = day.rsplit("/", 1)[1]
            exchange.corrupt(name, "truncated zip", "wrong checksum", "archive 5xx")
            assert (await http.get(day)).content == content[: len(content) // 2]
            assert (await http.get(day + ".CHECKSUM")).content != checksum
            assert (await http.get(day)).status_code == 503
            assert (await http.get(day)).content == content
            assert exchange.counters.faults == {"truncated zip": 1, "wrong checksum": 1, "archive 5xx": 1}
            return content

    file = tmp_path / "BTCUSDT-1m-2026-04-15.zip"
    file.write_bytes(asyncio.run(run()))
    assert zipfile.ZipFile(io.BytesIO(file.read_bytes())).namelist() == ["BTCUSDT-1m-2026-04-15.csv"]
    candles = read_candle_file(file, now=NOW)
    begin = 1_776_211_200
    rows = market().truth("BTCUSDT", begin, begin + DAY)
    assert candles.open_time.tolist() == [row.open_time * 10**6 for row in rows]
    assert len(rows) == 1440
    for name in ("open", "close", "volume", "taker_buy_quote_asset_volume", "number_of_trades"):
        assert candles.columns[name].tolist() == [getattr(row, name) for row in rows]


def test_a_stream_sends_open_and_closed_candles_quotes_and_pings():
    async def run():
        frames = []
        async with standing_in(speed=120.0) as (exchange, _), aiohttp.ClientSession() as session:
            url = f"{exchange.stream_url}/stream?streams=btcusdt@kline_1m/AVAXUSDT@kline_1m/btcusdt@bookTicker"
            async with session.ws_connect(url) as socket:
                async for message in socket:
                    frames.append(json.loads(message.data))
                    if frames[-1]["data"].get("k", {}).get("x") and exchange.clock.now() > MINUTE + 100:
                        break
            return frames, exchange.counters

    frames, counters = asyncio.run(run())
    assert {frame["stream"] for frame in frames} == {"btcusdt@kline_1m", "btcusdt@bookTicker"}  # names are lower-case
    candles = [frame["data"]["k"] for frame in frames if frame["stream"] == "btcusdt@kline_1m"]
    closed = [candle for candle in candles if candle["x"]]
    truth = market().truth("BTCUSDT", closed[0]["t"] // 1000, closed[0]["t"] // 1000 + 60)[0]
    assert float(closed[0]["c"]) == truth.close
    assert closed[0]["n"] == truth.number_of_trades == closed[0]["L"] - closed[0]["f"] + 1
    assert closed[0]["T"] == closed[0]["t"] + 59_999
    assert len(candles) - len(closed) > 20
    quote = next(frame["data"] for frame in frames if frame["stream"] == "btcusdt@bookTicker")
    bid, ask = float(quote["b"]), float(quote["a"])
    assert set(quote) == {"u", "s", "b", "B", "a", "A"}
    assert 2e4 * (ask - bid) / (ask + bid) == pytest.approx(market().spread_bps("BTCUSDT", MINUTE), abs=1e-3)
    assert counters.pongs >= 2
    assert counters.violations() == {}


def test_connections_end_without_pong_and_after_a_day():
    async def run(hours, autoping):
        async with standing_in(speed=600.0, connection_hours=hours, pong_grace=0.1) as (exchange, _):
            async with aiohttp.ClientSession() as session:
                url = f"{exchange.stream_url}/stream?streams=nosuch@kline_1m"
                async with session.ws_connect(url, autoping=autoping) as socket:
                    texts = [message.data async for message in socket if message.type == aiohttp.WSMsgType.TEXT]
            return [json.loads(text) for text in texts], exchange.counters, exchange.clock.elapsed()

    frames, counters, elapsed = asyncio.run(run(0.25, True))
    assert [frame["data"]["e"] for frame in frames] == ["serverShutdown"]
    assert 900 <= elapsed < 1500
    frames, counters, _ = asyncio.run(run(24, False))
    assert frames == []
    assert counters.violations() == {"dropped_without_pong": 1}


def test_an_outage_aborts_and_refuses_connections():
    async def run(resetting):
        async with standing_in() as (exchange, http), aiohttp.ClientSession() as session:
            url = f"{exchange.stream_url}/stream?streams=btcusdt@kline_1m"
            async with session.ws_connect(url) as socket:
                await exchange.begin_outage(resetting=resetting)
                while (await socket.receive()).type == aiohttp.WSMsgType.TEXT:
                    pass
            with pytest.raises((httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError)):
                await http.get("/api/v3/time")
            await exchange.end_outage()
            assert (await http.get("/api/v3/time")).status_code == 200

    asyncio.run(run(False))
    asyncio.run(run(True))


def test_a_seed_always_draws_the_same_faults_of_every_kind():
    faults = Faults.menu(7)
    first, other = market(faults), market(faults)
    found = Counter()
    minutes = range(MINUTE - DAY, MINUTE + DAY - 3600, 60)
    for minute in minutes:
        frames = list(candle_frames(first, "BTCUSDT", minute, 20.0))
        assert frames == list(candle_frames(other, "BTCUSDT", minute, 20.0))
        found.update(frame.fault for frame in frames if frame.fault)
    assert set(found) == set(FRAME_FAULTS)
    assert [faults.of_connection(n, 0.0) for n in range(50)] == [
        Faults.menu(7).of_connection(n, 0.0) for n in range(50)
    ]
    assert {faults.of_connection(n, 0.0)[0] for n in range(200)} == {*CONNECTION_FAULTS, None}
    assert {faults.of_request(n, 0.0) for n in range(2000)} == {*REQUEST_FAULTS, None}
    assert {faults.of_download(n, 0.0) for n in range(200)} == {*ARCHIVE_FAULTS, None}
    calm = market(Faults.menu(8, since=NOW, until=NOW))
    assert not any(calm.faults_of("BTCUSDT", minute) for minute in minutes)


def test_a_revised_candle_changes_everywhere_at_once():
    one = market(Faults(3, {"revised without a frame": 0.05}))
    minute = next(m for m in range(MINUTE - DAY, MINUTE, 60) if one.revised_at("BTCUSDT", m))
    revised_at, truth = one.revised_at("BTCUSDT", minute), one.truth("BTCUSDT", minute, minute + 60)[0]
    before, after = one.row("BTCUSDT", minute, revised_at - 1), one.row("BTCUSDT", minute, revised_at)
    assert before != after == truth
    assert before.low <= before.close <= before.high
    frame = next(frame for frame in candle_frames(one, "BTCUSDT", minute, math.inf) if frame.kind == "closed")
    assert f'"n":{before.number_of_trades},' in frame.text


def test_quiet_minutes_are_flat_and_halts_have_no_candles():
    one = market(Faults(5, {"minute without trades or frame": 0.05}), halts=[(MINUTE - 600, MINUTE - 300)])
    quiet = [m for m in range(MINUTE - DAY, MINUTE, 60) if one.faults_of("AVAXUSDT", m) and one.row("AVAXUSDT", m, NOW)]
    assert quiet
    for minute in quiet:
        row = one.row("AVAXUSDT", minute, NOW)
        assert row.open == row.high == row.low == row.close
        assert row[5:] == (0, 0, 0, 0, 0)
        assert [frame.text for frame in candle_frames(one, "AVAXUSDT", minute, 2.0)] == [None]
    rows = one.truth("BTCUSDT", MINUTE - 900, MINUTE)
    assert [row.open_time for row in rows] == [*range(MINUTE - 900, MINUTE - 600, 60), *range(MINUTE - 300, MINUTE, 60)]


def test_generated_candles_do_not_depend_on_the_range():
    began = time.perf_counter()
    long = Market(["BTCUSDT"], NOW - 90 * DAY, NOW, recorded=False)
    short = Market(["BTCUSDT"], NOW - DAY, NOW, recorded=False)
    assert short.truth("BTCUSDT", NOW - DAY, NOW) == long.truth("BTCUSDT", NOW - DAY, NOW)
    assert any(row.number_of_trades == 0 for row in short.truth("BTCUSDT", NOW - DAY, NOW))
    assert time.perf_counter() - began < 20


def test_the_command_prints_three_settings_and_serves():
    command = [sys.executable, "-m", "tests.exchange", "--symbol", "BTCUSDT", "--days", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = [process.stdout.readline().strip() for _ in range(3)]
            settings = dict(line.removeprefix("export ").split("=", 1) for line in lines)
            url = settings["CANDLECAST_BINANCE_REST_URL"]
            newest = httpx.get(f"{url}/api/v3/klines", params=klines(limit=1)[1], trust_env=False).json()
        finally:
            process.terminate()
    assert [name.split("_")[2] for name in settings] == ["REST", "STREAM", "ARCHIVE"]
    assert abs(newest[0][0] / 1000 - time.time()) < 120
