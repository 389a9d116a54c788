"""Checks within seconds whether the exchange can be reached, for `make up`.

    timeout 5 python -m candlecast.exchanges.probe && echo yes

On failure the exit status is 69, and the reason is on standard output. ``timeout`` is needed because a DNS lookup that
hangs cannot be canceled.
"""

import asyncio
import logging
import sys

from candlecast.core.errors import CandlecastUserError, Unreachable
from candlecast.core.text import plain
from candlecast.exchanges import exchange_named
from candlecast.exchanges.clock import Clock

#: Timeout in seconds, and the factor by which the pauses between retries are shorter.
_TIMEOUT_SECONDS, _RETRY_SPEED = 4.0, 20.0


def main() -> int:
    """Request the exchange's time."""
    logging.disable(logging.WARNING)  # hides the failed attempts: the reason at the end is enough
    try:
        return asyncio.run(_probe())
    except CandlecastUserError as error:
        return _fail(error.message)


async def _probe() -> int:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS), exchange_named("binance", Clock(_RETRY_SPEED)) as exchange:
            await exchange.server_time()
    except TimeoutError:
        return _fail(f"no answer within {_TIMEOUT_SECONDS:g} s")
    except CandlecastUserError as error:
        return _fail(error.message)  # printed here, because the end of the loop may have to wait for the DNS
    return 0


def _fail(reason: str) -> int:
    sys.stdout.write(f"{plain(reason)}\n")
    sys.stdout.flush()
    return Unreachable.exit_status


if __name__ == "__main__":
    sys.exit(main())
