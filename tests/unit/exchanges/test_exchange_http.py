"""Requests and streams against servers that misbehave in ways that the stand-in does not."""

import asyncio
import logging
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import serve

from candlecast.core.errors import ExchangeError, RequestRefused, Unreachable
from candlecast.exchanges import http
from candlecast.exchanges.base import Alive, Closed, Unreadable
from candlecast.exchanges.binance import Binance
from candlecast.exchanges.clock import Clock
from candlecast.exchanges.http import HttpClient

MINUTE_MS = 60_000


def response(body=b"{}", status="200 OK", **headers):
    """An HTTP response as bytes; ``_`` in a header's name is ``-``."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def responding(*responses):
    """A server that sends these responses in turn and repeats the last one; yields its URL and the requested paths."""
    paths = []

    async def reply(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        paths.append(request.split()[1].decode())
        writer.write(responses[min(len(paths), len(responses)) - 1])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", paths


NOT_GZIP = response(b"not gzip", Content_Encoding="gzip")


@pytest.mark.parametrize("status", ["429 Too Many Requests", "418 I'm a teapot", "403 Forbidden"])
def test_downloads_obey_retry_after(status, caplog):
    async def scene():
        clock = Clock(200)
        async with (
            responding(response(status=status, Retry_After="90"), response(b"a zip")) as (url, paths),
            HttpClient(clock, url) as client,
        ):
            began = clock.elapsed()

            async def waited_for(path):
                assert await client.download(path) == b"a zip"
                return clock.elapsed() - began

            rejected = asyncio.ensure_future(waited_for("/rejected"))
            async with asyncio.timeout(10):
                while not caplog.messages:  # until the response was handled
                    await asyncio.sleep(0.001)
            return await asyncio.gather(rejected, waited_for("/other")), paths

    with caplog.at_level(logging.WARNING):
        waited, paths = asyncio.run(scene())
    assert caplog.messages[0].endswith("waiting for Retry-After: 90 s from now")
    assert min(waited) >= 90
    assert sorted(paths) == ["/other", "/rejected", "/rejected"]


def test_a_response_with_a_broken_encoding_is_retried():
    async def scene():
        async with (
            responding(NOT_GZIP, response(b'{"rows": 7}'), NOT_GZIP, response(b"a zip")) as (url, paths),
            HttpClient(Clock(200), url) as client,
        ):
            rows = await client.get("/klines", {}, weight=1, parse=lambda body: body["rows"])
            return rows, await client.download("/file"), paths

    assert asyncio.run(scene()) == (7, b"a zip", ["/klines", "/klines", "/file", "/file"])


def test_lasting_failures_raise_unreachable_and_log_once(caplog):
    async def scene():
        async with responding(NOT_GZIP) as (url, paths), HttpClient(Clock(2000), url) as client:
            for request in (client.get("/klines", {}, weight=1, parse=dict), client.download("/file")):
                with pytest.raises(Unreachable, match="cannot be reached: Error -3 while decompressing"):
                    await request
            return url, len(paths)

    with caplog.at_level(logging.WARNING):
        url, requests = asyncio.run(scene())
    assert requests == 2 * 6
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith(f"{url}: Error -3 while decompressing data")
    assert message.endswith("; retrying up to 5 times")


@pytest.mark.parametrize("status", ["404 Not Found", "400 Bad Request", "451 Unavailable For Legal Reasons"])
def test_a_failure_after_a_rejection_is_logged_again(status, caplog):
    async def scene():
        responses = (NOT_GZIP, response(status=status), NOT_GZIP, response(b"a zip"))
        async with responding(*responses) as (url, _), HttpClient(Clock(200), url) as client:
            with pytest.raises(ExchangeError):
                await client.download("/rejected")
            assert await client.download("/file") == b"a zip"

    with caplog.at_level(logging.WARNING):
        asyncio.run(scene())
    assert [message.endswith("; retrying up to 5 times") for message in caplog.messages] == [True, True]


@pytest.mark.parametrize("body", [b'{"rows": Infinity}', b'{"rows": 1e999}', b"[]", b'{"rows": null}', b"\xff"])
def test_an_invalid_body_is_retried(body):
    async def scene():
        responses = (response(body), response(b'{"rows": 7}'))
        async with responding(*responses) as (url, _), HttpClient(Clock(200), url) as client:
            return await client.get("/klines", {}, weight=1, parse=lambda body: int(body["rows"]))

    assert asyncio.run(scene()) == 7


def test_an_oversized_download_is_rejected(monkeypatch):
    monkeypatch.setattr(http, "_MAX_BYTES", 1000)

    async def scene():
        async with responding(response(b"x" * 1001)) as (url, paths), HttpClient(Clock(200), url) as client:
            with pytest.raises(RequestRefused, match="/file is larger than"):
                await client.download("/file")
            return len(paths)

    assert asyncio.run(scene()) == 1


def frame(minute, trades, closed="true"):
    times = f'"t":{minute * MINUTE_MS},"T":{(minute + 1) * MINUTE_MS - 1}'
    values = ",".join(f'"{name}":"1"' for name in "ohlcvqVQ")
    kline = f'{{{times},"s":"BTCUSDT","i":"1m",{values},"n":{trades},"x":{closed}}}'
    return f'{{"stream":"btcusdt@kline_1m","data":{{"e":"kline","k":{kline}}}}}'


@asynccontextmanager
async def streaming(serve_stream):
    """A stream of Binance, with ``serve_stream`` as the server."""
    async with serve(serve_stream, "127.0.0.1", 0, ping_interval=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with Binance(Clock(), stream_url=f"ws://127.0.0.1:{port}").stream(["BTCUSDT"]) as messages:
            yield messages


def test_pings_are_answered_while_a_thousand_frames_wait():
    """Frames wait while the database is slow. The exchange drops clients that send no pong for a minute."""
    answered = asyncio.Event()

    async def serve_stream(connection):
        for number in range(1000):
            await connection.send(frame(number, 7, "false"))
        await (await connection.ping())
        answered.set()
        await connection.wait_closed()

    async def scene():
        async with streaming(serve_stream) as messages:
            await asyncio.wait_for(answered.wait(), 10)
            return [await anext(messages) for _ in range(1000)]

    assert asyncio.run(scene()) == [Alive("BTCUSDT")] * 1000


def test_a_frame_with_an_invalid_number_does_not_end_the_stream():
    async def serve_stream(connection):
        for trades in ("Infinity", "NaN", str(2**70), "7"):
            await connection.send(frame(1, trades))
        await connection.wait_closed()

    async def scene():
        async with streaming(serve_stream) as messages:
            return [await anext(messages) for _ in range(4)]

    infinite, not_a_number, many, good = asyncio.run(scene())
    assert isinstance(infinite, Unreadable)
    assert "OverflowError" in infinite.reason
    assert isinstance(not_a_number, Unreadable)
    assert isinstance(many, Closed), "the table must reject it"
    assert (many.candle.number_of_trades, good.candle.number_of_trades) == (2**70, 7)
