"""Options of the feed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FeedOptions:
    """Times in seconds, by the feed's clock."""

    quotes: bool = False  #: whether to read the book tickers, for spread_bps
    lookback: float = 86_400.0  #: range that is read again at the start, to fill older gaps
    overlap: float = 600.0  #: range that is read again after a reconnection
    verify_every: float = 900.0  #: longest interval between two comparisons with REST; the shortest is half of it
    verify_window: float = 3_600.0  #: range of a comparison; older revisions need `candlecast repair`
    silence: float = 90.0  #: timeout of the stream
    closing_grace: float = 5.0  #: delay after a minute's end until a missing candle is requested over REST
    rest_margin: float = 2.0  #: delay after a minute's end until its candle is final over REST
    heartbeat: float = 10.0  #: interval between two updates of feed_status
