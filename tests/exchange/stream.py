"""One WebSocket connection: sends frames when they are due, pings, and ends with or without a fault."""

import asyncio
import heapq
import math
from collections import deque

from aiohttp import WSMsgType, web

from candlecast.exchanges.clock import Clock

from .candles import Market
from .frames import LATEST, Frame, candle_frames, quote_frames, shutdown_frame
from .limits import MESSAGES_A_SECOND, Counters

_PING_EVERY = 20.0
#: Real seconds; frames that are due within them are sent together.
_BATCH = 0.002
#: Seconds from the announcement of a shutdown to the end of the connection.
_NOTICE = 600.0


class Stream:
    """A client's combined stream."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        market: Market,
        clock: Clock,
        counters: Counters,
        pong_within: float,
    ) -> None:
        self._socket, self._request, self._market, self._clock = socket, request, market, clock
        self._counters, self._pong_within = counters, pong_within
        self._pings: deque[tuple[float, bytes]] = deque()
        self._messages: deque[float] = deque()
        self.is_silent = False

    async def serve(
        self, names: list[str], fault: str | None, life: float, longest: float, update_every: float
    ) -> None:
        """Send the frames of the named streams until one side, or a fault after ``life`` seconds, ends it."""
        tasks = [
            asyncio.ensure_future(work)
            for work in (
                self._listen(),
                self._send_frames(names, update_every),
                self._send_pings(),
                self._end(fault, life, longest),
            )
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if (error := task.exception()) and not isinstance(error, ConnectionError):
                    raise error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def oldest_ping_age(self) -> float:
        """Age in seconds of the oldest ping without a pong, or 0."""
        return self._clock.now() - self._pings[0][0] if self._pings else 0.0

    def abort(self) -> None:
        """Abort the connection."""
        if self._request.transport:
            self._request.transport.abort()

    async def close(self, reason: str) -> None:
        """Close the connection for a policy violation, with this reason."""
        await self._socket.close(code=1008, message=reason.encode())

    async def send_text(self, text: str) -> None:
        """Send an additional message."""
        await self._send(Frame(0.0, text, "extra"))

    async def _end(self, fault: str | None, life: float, longest: float) -> None:
        if fault is None or life >= longest - _NOTICE:
            fault, life = None, longest - _NOTICE
        await self._clock.sleep(life)
        if fault == "dropped":
            self._counters.faults[fault] += 1
            self.abort()
        elif fault == "silent":
            self._counters.faults[fault] += 1
            self.is_silent = True
            await self._clock.forever()
        else:
            self._counters.faults["serverShutdown"] += 1
            await self._send(Frame(0.0, shutdown_frame(self._clock.now()), "shutdown"))
            await self._clock.sleep(_NOTICE)
            await self._socket.close(code=1001)

    async def _send_frames(self, names: list[str], update_every: float) -> None:
        klines, quotes = (
            [symbol for symbol in self._market.symbols if f"{symbol.lower()}@{kind}" in names]
            for kind in ("kline_1m", "bookTicker")
        )
        joined = self._clock.now()
        due: list[tuple[float, int, Frame]] = []
        minute, count = int(joined - LATEST) // 60 * 60 - 60, 0
        while True:
            now = self._clock.now()
            while minute <= now:
                frames = [frame for one in klines for frame in candle_frames(self._market, one, minute, update_every)]
                frames += [frame for one in quotes for frame in quote_frames(self._market, one, minute)]
                for frame in frames:
                    if frame.at >= joined:
                        count += 1
                        heapq.heappush(due, (frame.at, count, frame))
                minute += 60
            while due and due[0][0] <= now:
                await self._send(heapq.heappop(due)[2])
            upcoming = min(due[0][0] if due else math.inf, minute)
            await asyncio.sleep(max(_BATCH, (upcoming - self._clock.now()) / self._clock.speed))

    async def _send(self, frame: Frame) -> None:
        if self.is_silent:
            return
        self._counters.frames[frame.kind] += 1
        if frame.fault:
            self._counters.faults[frame.fault] += 1
        if isinstance(frame.text, bytes):
            await self._socket.send_bytes(frame.text)
        elif frame.text is not None:
            await self._socket.send_str(frame.text)

    async def _send_pings(self) -> None:
        number = 0
        while True:
            await self._clock.sleep(_PING_EVERY)
            if self.is_silent:
                continue
            now = self._clock.now()
            if self.oldest_ping_age > self._pong_within:
                self._counters.dropped_without_pong += 1
                self.abort()
                return
            number += 1
            payload = f"{number}-{now:.0f}".encode()
            self._pings.append((now, payload))
            await self._socket.ping(payload)

    async def _listen(self) -> None:
        async for message in self._socket:
            if message.type not in (WSMsgType.PONG, WSMsgType.PING, WSMsgType.TEXT):
                return
            if self._is_above_limit():
                self._counters.dropped_for_messages += 1
                self.abort()
                return
            if message.type == WSMsgType.PING and not self.is_silent:
                await self._socket.pong(message.data)
            elif message.type == WSMsgType.PONG and any(message.data == payload for _, payload in self._pings):
                self._counters.pongs += 1
                while self._pings.popleft()[1] != message.data:
                    pass

    def _is_above_limit(self) -> bool:
        """More than MESSAGES_A_SECOND, counted over at least a quarter of a real second for fast clocks."""
        now, window = self._clock.now(), max(1.0, 0.25 * self._clock.speed)
        self._messages.append(now)
        while self._messages[0] <= now - window:
            self._messages.popleft()
        return len(self._messages) > MESSAGES_A_SECOND * window
