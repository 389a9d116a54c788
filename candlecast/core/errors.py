"""All errors that a user can meet. What is not one of these is a defect and keeps its traceback.

``CandlecastError``   raised inside the database: a SQLSTATE of its own, a message, a DETAIL, a HINT with the remedy.
                      The docstring is the message; ``{names}`` in it are the facts that it is raised with.
                      ``server.reporting`` turns it into a PostgreSQL error.
``CandlecastUserError``   raised by the programs outside the database: the command line prints message and hint, and
                          exits with ``exit_status``.
``StoreLost``, ``DatabaseGone``, ``QueryRefused``   inside the feed and the web service, which handle them.
"""

from candlecast.core.text import plain


class CandlecastError(Exception):
    """candlecast failed."""

    sqlstate = "CC000"
    hint = ""

    def __init__(self, detail: str = "", **facts: object) -> None:
        self.detail = detail
        self.facts = facts
        self.message = (type(self).__doc__ or "").format(**facts)
        self.hint = type(self).hint.format(**facts)
        super().__init__(self.message)


class NoCandles(CandlecastError):
    """there are no candles of {symbol}"""

    sqlstate = "CC001"
    hint = "Load some with 'candlecast load FILE...', or check the symbol: select distinct symbol from candles_1m."


class CandleMissing(CandlecastError):
    """there is no candle of {symbol} at {minute}"""

    sqlstate = "CC002"
    hint = "at_time is the open_time of a stored candle, on the minute; load that candle or choose another."


class GapInCandles(CandlecastError):
    """{symbol} has no candle at {minute}, so nothing can be predicted from {candle_time}"""

    sqlstate = "CC003"
    hint = (
        "Load the missing candles with 'candlecast load FILE...', or wait until the gap is over {lookback} "
        "minutes back."
    )


class StaleCandles(CandlecastError):
    """the newest candle of {symbol} is {age} old, over the {limit} that max_candle_age allows"""

    sqlstate = "CC004"
    hint = "Bring candles_1m up to date, or raise max_candle_age in ml_settings."


class NoActiveEnsemble(CandlecastError):
    """no ensemble is active for {symbol}"""

    sqlstate = "CC005"
    hint = "Train one with 'candlecast train --symbol {symbol} --publish active', or select activate_ensemble(id)."


class EnsembleUnknown(CandlecastError):
    """there is no ensemble {ensemble_id} for {symbol}"""

    sqlstate = "CC006"
    hint = "select id, symbol, state from active_ensembles;"


class ArtifactDamaged(CandlecastError):
    """artifact {name} is damaged: {reason}"""

    sqlstate = "CC007"
    hint = "Publish the version again; until then rollback_ensemble(symbol) or, of a test, withdraw_ensemble(id) helps."


class ArtifactRefused(CandlecastError):
    """artifact {name} is refused: {reason}"""

    sqlstate = "CC008"
    hint = "Export the model again with 'candlecast train'; the database takes only what it can check."


class RuntimeMissing(CandlecastError):
    """the server's Python cannot import {module}: {reason}"""

    sqlstate = "CC009"
    hint = "Install candlecast[server] where the server's PYTHONPATH points ('make up' does), then reconnect."


class TorchScriptNotAllowed(CandlecastError):
    """TorchScript models are not allowed on this server"""

    sqlstate = "CC010"
    hint = (
        "A TorchScript file can run code as the server. Set mamba_runtime to 'onnx' or 'auto', or let the "
        "server's administrator set ML_TORCHSCRIPT=on in its environment and restart it."
    )


class InferenceDisabled(CandlecastError):
    """inference is disabled"""

    sqlstate = "CC011"
    hint = "update ml_settings set value = 'true' where name = 'enabled';"


class TestVectorsFailed(CandlecastError):
    """{what} does not give the outputs of its test vectors ({runtime}): off by {difference}"""

    sqlstate = "CC012"
    hint = "Its files are not the evaluated ones, or this server's runtime computes otherwise. Publish it anew."


class SettingInvalid(CandlecastError):
    """setting {name} = {value!r} is not valid: {reason}"""

    sqlstate = "CC013"
    hint = "Correct it in ml_settings, or in the server's environment. select * from ml_settings shows each meaning."


class NothingToRollBackTo(CandlecastError):
    """{symbol} has no earlier ensemble to go back to"""

    sqlstate = "CC014"
    hint = "Choose one yourself: select id, created_at from active_ensembles; select activate_ensemble(id)."


class VersionConflict(CandlecastError):
    """{model_type} version {version} of {symbol} is registered already, with other files"""

    sqlstate = "CC015"
    hint = "A version never changes. Publish the new files under a version of their own."


class RegistrationRefused(CandlecastError):
    """{what} cannot be registered: {reason}"""

    sqlstate = "CC016"
    hint = "Export the model again with 'candlecast train', or pass what the message names."


class TimeUnreadable(CandlecastError):
    """the time {text} cannot be read"""

    sqlstate = "CC017"
    hint = "Name a minute from 1970 to 2100; run_inference() also needs: set datestyle = 'ISO';"


class OtherFeatures(CandlecastError):
    """ensemble {ensemble_id} of {symbol} was trained on other features than this server computes"""

    sqlstate = "CC018"
    hint = (
        "Train one on these with 'candlecast train --symbol {symbol} --publish active', or go back to the release "
        "of candlecast that this one was trained with."
    )


class CalibrationInvalid(CandlecastError):
    """the calibration is not valid: {reason}"""

    sqlstate = "CC019"
    hint = "Publish the ensemble again from the folder that 'candlecast train' wrote, or train again."


class ModelExpired(CandlecastError):
    """ensemble {ensemble_id} of {symbol} was trained {age} ago, over the {limit} that model_expiry allows"""

    sqlstate = "CC020"
    hint = "Train anew with 'candlecast retrain --symbol {symbol}', or raise model_expiry in ml_settings."


class TestsFull(CandlecastError):
    """{what} cannot go on test: {symbol} has as many there as max_test_ensembles allows, {places}"""

    sqlstate = "CC021"
    hint = "Wait until one is decided (select * from ab_status), withdraw_ensemble(id), or raise max_test_ensembles."


class TimeNotReached(CandlecastError):
    """{time} has not come yet, so nothing can be evaluated as of then"""

    sqlstate = "CC022"
    hint = "Leave at_time out for now, or name a time in the past."


class InShadow(CandlecastError):
    """ensemble {ensemble_id} is in shadow: it may be rolled back to, so it cannot go on test"""

    sqlstate = "CC023"
    hint = "Wait until it is judged (select * from ab_status), or go back to it: rollback_ensemble(symbol)."


class DistributionInvalid(CandlecastError):
    """the training distribution is not valid: {reason}"""

    sqlstate = "CC024"
    hint = "Publish the version again from the folder that 'candlecast train' wrote, or train again."


class DayNotBegun(CandlecastError):
    """{day} has not begun, so nothing of it can be measured"""

    sqlstate = "CC025"
    hint = "Leave the day out for yesterday (UTC), or name one that has begun."


class NoDistribution(CandlecastError):
    """{model_type} version {version} keeps no distribution of its training rows"""

    sqlstate = "CC026"
    hint = "It was trained before candlecast kept one: drift is measured from the next training on."


class TooFewRows(CandlecastError):
    """{symbol} has {rows} feature rows on {day}, fewer than the {least} that a measurement needs"""

    sqlstate = "CC027"
    hint = "A row needs the 150 candles that end at its minute: select * from candle_gaps('{symbol}', ...)."


class VersionUnknown(CandlecastError):
    """models of the server's environment predicted these, and nothing says which they were"""

    sqlstate = "CC028"
    hint = "Publish them as an ensemble: candlecast publish keeps each version with its bytes."


class DayUnreadable(CandlecastError):
    """the day {text} cannot be measured"""

    sqlstate = "CC029"
    hint = "Name a day since 1970, like '2026-04-20'; none: yesterday (UTC)."


class CandlecastUserError(Exception):
    """What happened (``message``) and what to do about it (``hint``)."""

    exit_status = 1  #: of the command that it ends

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class FileRefused(CandlecastUserError):
    """A candle file that is not loaded: which file, where in it (``place``: 'line 7') and why."""

    def __init__(self, file: str, reason: str, hint: str | None = None, place: str | None = None) -> None:
        where = f"{plain(file)}: {place}" if place else plain(file)
        super().__init__(f"{where}: {reason}", hint)
        self.file = file
        self.place = place
        self.reason = reason


class ExchangeError(CandlecastUserError):
    """The exchange did not do what it was asked."""


class Unreachable(ExchangeError):
    """Nobody answered, or only with errors: what is worth another try later."""

    exit_status = 69  # EX_UNAVAILABLE


class UnknownSymbol(ExchangeError):
    """The exchange has no such symbol."""


class Disconnected(ExchangeError):
    """The stream ended; why."""


class NotPublished(ExchangeError):
    """The archive has no such file, or not yet."""


class ArchiveRefused(ExchangeError):
    """A downloaded archive is not what its CHECKSUM file says."""


class HttpNotFound(ExchangeError):
    """HTTP 404."""


class RequestRefused(ExchangeError):
    """HTTP 4xx that no second try changes; ``answer`` is the body, cut."""

    def __init__(self, message: str, answer: str) -> None:
        super().__init__(message, "Check the symbol's name and the exchange's address.")
        self.answer = answer


class RowRefused(FileRefused):
    """A row that a CHECK constraint of candles_1m says no to; ``index`` is its position in the Candles."""

    def __init__(self, index: int, *what: str) -> None:
        super().__init__(*what)
        self.index = index


class StoreLost(Exception):
    """The database does not answer; it is tried again in the background."""


class AnotherFeed(CandlecastUserError):
    """Somebody else feeds this symbol."""

    exit_status = 75  # EX_TEMPFAIL, as for a retraining that another one is in the way of


class LookAhead(CandlecastUserError):
    """A row that holds what its own candles, up to its minute, do not give."""


class AlreadyRunning(CandlecastUserError):
    """Another retraining of the symbol holds its lock."""


class DatabaseGone(Exception):
    """The database did not answer the web service; ``reason`` names neither host nor port."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class QueryRefused(Exception):
    """The database refused a query of the web service: a missing right or object, or a timeout."""

    def __init__(self, reason: str, hint: str | None, sqlstate: str | None, *, timed_out: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.sqlstate = sqlstate
        self.timed_out = timed_out
