"""The service without a database: caching, metrics format, JSON, messages without addresses."""

import asyncio
import json
import math
import socket
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from candlecast.web.application import STATIC
from candlecast.web.caching import Cached
from candlecast.web.metrics import format_metrics
from candlecast.web.refusals import strip_address
from candlecast.web.responses import PreparedResponse, prepare_json
from candlecast.web.service import _listen

REFUSED = (
    'connection failed: connection to server at "10.0.0.1", port 5432 failed: Connection refused\n'
    "\tIs the server running on that host and accepting TCP/IP connections?"
)
ABSENT = (
    'connection failed: connection to server on socket "/run/.s.PGSQL.5432" failed: FATAL:  database "x" does not exist'
)


def row(name, value, of_type="gauge", **labels):
    return {"name": name, "labels": labels, "value": value, "type": of_type, "help": f"about {name}"}


def families(rows, *, up=True):
    found = text_string_to_metric_families(format_metrics(rows, up=up).decode())
    return {family.name: family for family in found if family.name.startswith("ml_")}


def test_concurrent_requests_share_one_load():
    loads = []

    async def load():
        loads.append(1)
        await asyncio.sleep(0.02)
        return len(loads)

    async def ask():
        cached = Cached(load, 0.1)
        assert await asyncio.gather(*(cached.get() for _ in range(50))) == [1] * 50
        assert await cached.get() == 1
        await asyncio.sleep(0.12)
        assert await cached.get() == 2

    asyncio.run(ask())
    assert len(loads) == 2


def test_a_canceled_caller_does_not_cancel_the_shared_load():
    async def load():
        await asyncio.sleep(0.05)
        return "there"

    async def ask():
        cached = Cached(load, 1)
        canceled, other = asyncio.create_task(cached.get()), asyncio.create_task(cached.get())
        await asyncio.sleep(0.01)
        canceled.cancel()
        return await other

    assert asyncio.run(ask()) == "there"


def test_a_failed_load_is_retried():
    outcomes = iter([ValueError("once"), "there"])

    async def load():
        outcome = next(outcomes)
        if isinstance(outcome, ValueError):
            raise outcome
        return outcome

    async def ask():
        cached = Cached(load, 0)
        with pytest.raises(ValueError, match="once"):
            await cached.get()
        return await cached.get()

    assert asyncio.run(ask()) == "there"


def test_a_histogram_is_one_family_with_ordered_buckets():
    def of(symbol):
        return [
            row("ml_x_ms_count", 9, "histogram", symbol=symbol),
            row("ml_x_ms_bucket", 9, "histogram", symbol=symbol, le="+Inf"),
            row("ml_x_ms_bucket", 3, "histogram", symbol=symbol, le="5"),
            row("ml_x_ms_sum", 77.5, "histogram", symbol=symbol),
            row("ml_x_ms_bucket", 7, "histogram", symbol=symbol, le="10"),
        ]

    text = format_metrics(of("B") + of("A"), up=True).decode()
    lines = [line for line in text.splitlines() if "ml_x_ms" in line]
    assert lines[:2] == ["# HELP ml_x_ms about ml_x_ms_count", "# TYPE ml_x_ms histogram"]
    for at, symbol in ((2, "A"), (7, "B")):
        assert lines[at : at + 5] == [
            f'ml_x_ms_bucket{{le="5",symbol="{symbol}"}} 3.0',
            f'ml_x_ms_bucket{{le="10",symbol="{symbol}"}} 7.0',
            f'ml_x_ms_bucket{{le="+Inf",symbol="{symbol}"}} 9.0',
            f'ml_x_ms_sum{{symbol="{symbol}"}} 77.5',
            f'ml_x_ms_count{{symbol="{symbol}"}} 9.0',
        ]


def test_counters_gauges_and_labels_are_exposed():
    odd = 'a "quoted" \\ name\nin two lines'
    found = families([row("ml_n_total", 3, "counter", symbol="B"), row("ml_g", None, of=odd), row("ml_h", 0.5)])
    assert (found["ml_n"].type, found["ml_n"].samples[0].name) == ("counter", "ml_n_total")
    assert found["ml_g"].samples[0].labels == {"of": odd}
    assert math.isnan(found["ml_g"].samples[0].value)
    assert found["ml_h"].samples[0].value == 0.5
    assert found["ml_database_up"].samples[0].value == 1


def test_without_a_database_only_ml_database_up_is_exposed():
    assert set(families([], up=False)) == {"ml_database_up"}
    assert families([], up=False)["ml_database_up"].samples[0].value == 0


def test_values_without_a_json_type_are_converted():
    noon = datetime(2026, 5, 2, 12, tzinfo=UTC)
    given = {
        "a": noon,
        "b": timedelta(minutes=2),
        "c": [math.nan, -math.inf, 0.1],
        "d": Decimal("0.5"),
        "e": noon.date(),
    }
    assert json.loads(prepare_json(given).body) == {
        "a": "2026-05-02T12:00:00Z",
        "b": 120.0,
        "c": [None, None, 0.1],
        "d": 0.5,
        "e": str(date(2026, 5, 2)),
    }


def test_etag_depends_on_the_content():
    assert (
        PreparedResponse(200, b"one").etag == PreparedResponse(200, b"one").etag != PreparedResponse(200, b"two").etag
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (REFUSED, "no server at this address (Connection refused)"),
        (ABSENT, 'database "x" does not exist'),
        ("server closed the connection unexpectedly", "server closed the connection unexpectedly"),
        ("", "no connection"),
    ],
)
def test_messages_contain_no_server_address(given, expected):
    assert strip_address(str(psycopg.OperationalError(given))) == expected


def test_page_names_no_other_host_except_in_its_footer():
    for path in STATIC.rglob("*"):
        if path.is_dir() or "vendor" in path.parts:
            continue
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert text.count("://") == (2 if path.name == "index.html" else 0), path
        assert "tradingview.com" in text or "://" not in text


def test_source_files_of_the_page_stay_short():
    for path in STATIC.glob("*.*"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) < 400, path
        assert max(map(len, lines)) <= 120 or path.suffix == ".svg", path


def test_the_socket_accepts_connections_before_the_server_runs():
    with _listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname(), timeout=5):
        pass
