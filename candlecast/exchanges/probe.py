"""Whether the exchange answers, within seconds: what `make up` asks before it counts on candles from there.

    timeout 5 python -m candlecast.exchanges.probe && echo yes

Exit status 69 with the reason on standard output where it does not. ``timeout``, because nothing ends a look-up in the
DNS that hangs.
"""

import asyncio
import logging
import sys

from candlecast.core.errors import CandlecastUserError, Unreachable
from candlecast.core.text import plain
from candlecast.exchanges import exchange_named
from candlecast.exchanges.clock import Clock

#: Seconds for all of it; and how much faster than usual a failed try is followed by the next.
_TIMEOUT_SECONDS, _RETRY_SPEED = 4.0, 20.0


def main() -> int:
    """Ask for the exchange's time."""
    logging.disable(logging.WARNING)  # of each try: what is said at the end is enough
    try:
        return asyncio.run(_ask())
    except CandlecastUserError as error:
        return _say(error.message)


async def _ask() -> int:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS), exchange_named("binance", Clock(_RETRY_SPEED)) as exchange:
            await exchange.server_time()
    except TimeoutError:
        return _say(f"no answer within {_TIMEOUT_SECONDS:g} s")
    except CandlecastUserError as error:
        return _say(error.message)  # here: the end of the loop may have to wait for the DNS
    return 0


def _say(reason: str) -> int:
    sys.stdout.write(f"{plain(reason)}\n")
    sys.stdout.flush()
    return Unreachable.exit_status


if __name__ == "__main__":
    sys.exit(main())
