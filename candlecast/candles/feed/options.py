"""What the feed waits for, and how long."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FeedOptions:
    """Times in seconds, by the feed's clock."""

    quotes: bool = False  #: read the book tickers, for spread_bps
    lookback: float = 86_400.0  #: at the start so much is read again, so that older gaps close
    overlap: float = 600.0  #: after a reconnection so much
    verify_every: float = 900.0  #: how often REST is held against the table
    verify_window: float = 3_600.0  #: how much of it then: a candle that is revised later needs `candlecast repair`
    silence: float = 90.0  #: a stream that says nothing for so long is dead
    closing_grace: float = 5.0  #: a candle that the stream has not brought so long after its minute is asked for
    rest_margin: float = 2.0  #: a minute is over for REST so long after its end
    heartbeat: float = 10.0
