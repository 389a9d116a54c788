"""How an exchange is asked over HTTP, and heard over its stream, where the other side is as no stand-in would be."""

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


def answer(body=b"{}", status="200 OK", **headers):
    """An HTTP answer, as bytes; ``_`` in a header's name is ``-``."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def answering(*answers):
    """A server that gives these answers in turn, the last one for ever: its URL, and the paths it was asked for."""
    paths = []

    async def reply(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        paths.append(request.split()[1].decode())
        writer.write(answers[min(len(paths), len(answers)) - 1])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", paths


NOT_GZIP = answer(b"not what the header says", Content_Encoding="gzip")


@pytest.mark.parametrize("status", ["429 Too Many Requests", "418 I'm a teapot", "403 Forbidden"])
def test_a_file_host_is_not_asked_before_retry_after_is_over(status, caplog):
    async def scene():
        clock = Clock(200)
        async with (
            answering(answer(status=status, Retry_After="90"), answer(b"a zip")) as (url, paths),
            HttpClient(clock, url) as client,
        ):
            began = clock.elapsed()

            async def waited_for(path):
                assert await client.download(path) == b"a zip"
                return clock.elapsed() - began

            refused = asyncio.ensure_future(waited_for("/refused"))
            async with asyncio.timeout(10):
                while not caplog.messages:  # the answer is there, and heeded
                    await asyncio.sleep(0.001)
            return await asyncio.gather(refused, waited_for("/other")), paths

    with caplog.at_level(logging.WARNING):
        waited, paths = asyncio.run(scene())
    assert caplog.messages[0].endswith("until its Retry-After is over: 90 s from now")
    assert min(waited) >= 90
    assert sorted(paths) == ["/other", "/refused", "/refused"]


def test_a_content_encoding_that_is_broken_is_asked_for_again():
    async def scene():
        async with (
            answering(NOT_GZIP, answer(b'{"rows": 7}'), NOT_GZIP, answer(b"a zip")) as (url, paths),
            HttpClient(Clock(200), url) as client,
        ):
            rows = await client.get("/klines", {}, weight=1, parse=lambda body: body["rows"])
            return rows, await client.download("/file"), paths

    assert asyncio.run(scene()) == (7, b"a zip", ["/klines", "/klines", "/file", "/file"])


def test_lasting_failures_are_an_unreachable_exchange_named_once(caplog):
    async def scene():
        async with answering(NOT_GZIP) as (url, paths), HttpClient(Clock(2000), url) as client:
            for ask in (client.get("/klines", {}, weight=1, parse=dict), client.download("/file")):
                with pytest.raises(Unreachable, match="cannot be reached: Error -3 while decompressing"):
                    await ask
            return url, len(paths)

    with caplog.at_level(logging.WARNING):
        url, asked = asyncio.run(scene())
    assert asked == 2 * 6
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith(f"{url}: Error -3 while decompressing data")
    assert told.endswith("; asked again, up to 5 times")


@pytest.mark.parametrize("status", ["404 Not Found", "400 Bad Request", "451 Unavailable For Legal Reasons"])
def test_a_refusal_is_an_answer_and_the_next_failure_is_logged(status, caplog):
    async def scene():
        answers = (NOT_GZIP, answer(status=status), NOT_GZIP, answer(b"a zip"))
        async with answering(*answers) as (url, _), HttpClient(Clock(200), url) as client:
            with pytest.raises(ExchangeError):
                await client.download("/refused")
            assert await client.download("/file") == b"a zip"

    with caplog.at_level(logging.WARNING):
        asyncio.run(scene())
    assert [message.endswith("; asked again, up to 5 times") for message in caplog.messages] == [True, True]


@pytest.mark.parametrize("body", [b'{"rows": Infinity}', b'{"rows": 1e999}', b"[]", b'{"rows": null}', b"\xff"])
def test_a_number_that_is_none_is_an_answer_that_cannot_be_read(body):
    async def scene():
        async with answering(answer(body), answer(b'{"rows": 7}')) as (url, _), HttpClient(Clock(200), url) as client:
            return await client.get("/klines", {}, weight=1, parse=lambda body: int(body["rows"]))

    assert asyncio.run(scene()) == 7


def test_a_file_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(http, "_MAX_BYTES", 1000)

    async def scene():
        async with answering(answer(b"x" * 1001)) as (url, paths), HttpClient(Clock(200), url) as client:
            with pytest.raises(RequestRefused, match="/file has more than"):
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
    """A stream of the exchange whose other side is ``serve_stream``."""
    async with serve(serve_stream, "127.0.0.1", 0, ping_interval=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with Binance(Clock(), stream_url=f"ws://127.0.0.1:{port}").stream(["BTCUSDT"]) as messages:
            yield messages


def test_pings_are_answered_while_a_thousand_frames_wait():
    """As they do while the database is slow: the exchange drops who sends no pong for a minute."""
    heard = asyncio.Event()

    async def serve_stream(connection):
        for number in range(1000):
            await connection.send(frame(number, 7, "false"))
        await (await connection.ping())
        heard.set()
        await connection.wait_closed()

    async def scene():
        async with streaming(serve_stream) as messages:
            await asyncio.wait_for(heard.wait(), 10)
            return [await anext(messages) for _ in range(1000)]

    assert asyncio.run(scene()) == [Alive("BTCUSDT")] * 1000


def test_a_frame_with_an_unreadable_number_ends_nothing():
    async def serve_stream(connection):
        for trades in ("Infinity", "NaN", str(2**70), "7"):
            await connection.send(frame(1, trades))
        await connection.wait_closed()

    async def scene():
        async with streaming(serve_stream) as messages:
            return [await anext(messages) for _ in range(4)]

    infinite, no_number, many, good = asyncio.run(scene())
    assert isinstance(infinite, Unreadable)
    assert "OverflowError" in infinite.reason
    assert isinstance(no_number, Unreadable)
    assert isinstance(many, Closed), "the table's to refuse"
    assert (many.candle.number_of_trades, good.candle.number_of_trades) == (2**70, 7)
