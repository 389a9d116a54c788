"""All errors that users see. Any other exception is a defect and keeps its traceback.

``CandlecastError``   raised inside the database. Each class has its own SQLSTATE, a message, a DETAIL and a HINT with
                      the remedy. The docstring is the message template; ``{names}`` are filled from the keyword
                      arguments. ``server.reporting`` converts it to a PostgreSQL error.
``CandlecastUserError``   raised by the programs outside the database. The command line prints message and hint, and
                          exits with ``exit_status``.
``StoreLost``, ``DatabaseGone``, ``QueryRefused``   internal to the feed and the web service, which handle them.
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
    hint = "Load candles with 'candlecast load FILE...', or check the symbol: select distinct symbol from candles_1m;"


class CandleMissing(CandlecastError):
    """there is no candle of {symbol} at {minute}"""

    sqlstate = "CC002"
    hint = "at_time must be the open_time of a stored candle, on the minute. Load that candle or choose another time."


class GapInCandles(CandlecastError):
    """{symbol} has no candle at {minute}, so nothing can be predicted from {candle_time}"""

    sqlstate = "CC003"
    hint = (
        "Fetch the missing candles with 'candlecast repair', load them with 'candlecast load FILE...', or wait until "
        "the gap is more than {lookback} minutes old."
    )


class StaleCandles(CandlecastError):
    """the newest candle of {symbol} is {age} old; max_candle_age allows {limit}"""

    sqlstate = "CC004"
    hint = "Bring candles_1m up to date, or raise max_candle_age in ml_settings."


class NoActiveEnsemble(CandlecastError):
    """no ensemble is active for {symbol}"""

    sqlstate = "CC005"
    hint = (
        "Train one with 'candlecast train --symbol {symbol} --publish active', or activate an existing one: "
        "select activate_ensemble(id);"
    )


class EnsembleUnknown(CandlecastError):
    """there is no ensemble {ensemble_id} for {symbol}"""

    sqlstate = "CC006"
    hint = "List the ensembles: select id, symbol, state from active_ensembles;"


class ArtifactDamaged(CandlecastError):
    """artifact {name} is damaged: {reason}"""

    sqlstate = "CC007"
    hint = (
        "Publish the version again. Until then, call rollback_ensemble(symbol), or withdraw_ensemble(id) for an "
        "ensemble on test."
    )


class ArtifactRefused(CandlecastError):
    """artifact {name} is refused: {reason}"""

    sqlstate = "CC008"
    hint = "Export the model again with 'candlecast train'. The database accepts only files that it can check."


class RuntimeMissing(CandlecastError):
    """the server's Python cannot import {module}: {reason}"""

    sqlstate = "CC009"
    hint = "Install candlecast[server] into a folder of the server's PYTHONPATH ('make up' does this), then reconnect."


class TorchScriptNotAllowed(CandlecastError):
    """TorchScript models are not allowed on this server"""

    sqlstate = "CC010"
    hint = (
        "A TorchScript file can run code with the server's rights. Set mamba_runtime to 'onnx' or 'auto', or have the "
        "administrator set ML_TORCHSCRIPT=on in the server's environment and restart it."
    )


class InferenceDisabled(CandlecastError):
    """inference is disabled"""

    sqlstate = "CC011"
    hint = "Enable it: update ml_settings set value = 'true' where name = 'enabled';"


class TestVectorsFailed(CandlecastError):
    """{what} does not reproduce its test vectors ({runtime}): the largest difference is {difference}"""

    sqlstate = "CC012"
    hint = "The files are not the evaluated ones, or this server's runtime computes other values. Publish it again."


class SettingInvalid(CandlecastError):
    """setting {name} = {value!r} is not valid: {reason}"""

    sqlstate = "CC013"
    hint = "Correct it in ml_settings or in the server's environment. For the meanings: select * from ml_settings;"


class NothingToRollBackTo(CandlecastError):
    """{symbol} has no earlier ensemble to roll back to"""

    sqlstate = "CC014"
    hint = "Activate one by its id: select id, created_at from active_ensembles; select activate_ensemble(id);"


class VersionConflict(CandlecastError):
    """{model_type} version {version} of {symbol} is already registered with different files"""

    sqlstate = "CC015"
    hint = "A version never changes. Publish the new files under a new version name."


class RegistrationRefused(CandlecastError):
    """{what} cannot be registered: {reason}"""

    sqlstate = "CC016"
    hint = "Correct what the message names, or export the model again with 'candlecast train'."


class TimeUnreadable(CandlecastError):
    """the time {text} cannot be read"""

    sqlstate = "CC017"
    hint = "Give a time from 1970 to 2100. run_inference() also needs: set datestyle = 'ISO';"


class OtherFeatures(CandlecastError):
    """ensemble {ensemble_id} of {symbol} was trained on different features than this server computes"""

    sqlstate = "CC018"
    hint = (
        "Train a new one with 'candlecast train --symbol {symbol} --publish active', or reinstall the release of "
        "candlecast that this one was trained with."
    )


class CalibrationInvalid(CandlecastError):
    """the calibration is not valid: {reason}"""

    sqlstate = "CC019"
    hint = "Publish the ensemble again from the folder that 'candlecast train' wrote, or train again."


class ModelExpired(CandlecastError):
    """ensemble {ensemble_id} of {symbol} was trained {age} ago; model_expiry allows {limit}"""

    sqlstate = "CC020"
    hint = "Retrain with 'candlecast retrain --symbol {symbol}', or raise model_expiry in ml_settings."


class TestsFull(CandlecastError):
    """{what} cannot be put on test: {symbol} already has as many on test as max_test_ensembles allows ({places})"""

    sqlstate = "CC021"
    hint = "Wait for a decision (select * from ab_status;), call withdraw_ensemble(id), or raise max_test_ensembles."


class TimeNotReached(CandlecastError):
    """{time} is in the future, so it cannot be evaluated"""

    sqlstate = "CC022"
    hint = "Omit at_time to evaluate the current time, or give a time in the past."


class InShadow(CandlecastError):
    """ensemble {ensemble_id} is in shadow, so it cannot be put on test"""

    sqlstate = "CC023"
    hint = "Wait until its comparison ends (select * from ab_status;), or activate it: rollback_ensemble(symbol)."


class DistributionInvalid(CandlecastError):
    """the training distribution is not valid: {reason}"""

    sqlstate = "CC024"
    hint = "Publish the version again from the folder that 'candlecast train' wrote, or train again."


class DayNotBegun(CandlecastError):
    """{day} is in the future, so it cannot be measured"""

    sqlstate = "CC025"
    hint = "Omit the day to measure yesterday (UTC), or give a day that has begun."


class NoDistribution(CandlecastError):
    """{model_type} version {version} has no stored distribution of its training rows"""

    sqlstate = "CC026"
    hint = "It was trained by an older release of candlecast. Retrain: newer versions store the distribution."


class TooFewRows(CandlecastError):
    """{symbol} has {rows} feature rows on {day}; a measurement needs {least}"""

    sqlstate = "CC027"
    hint = "Each row needs the 150 candles that end at its minute. Gaps: select * from candle_gaps('{symbol}', ...);"


class VersionUnknown(CandlecastError):
    """models from the server's environment made the predictions, and their versions are unknown"""

    sqlstate = "CC028"
    hint = "Publish the models as an ensemble with 'candlecast publish', which stores each version with its files."


class DayUnreadable(CandlecastError):
    """the day {text} cannot be measured"""

    sqlstate = "CC029"
    hint = "Give a day since 1970, like '2026-04-20', or null for yesterday (UTC)."


class CandlecastUserError(Exception):
    """What failed (``message``) and the remedy (``hint``)."""

    exit_status = 1  #: exit status of the command

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class FileRefused(CandlecastUserError):
    """A candle file that was not loaded: the file, the place in it (``place``: 'line 7') and the reason."""

    def __init__(self, file: str, reason: str, hint: str | None = None, place: str | None = None) -> None:
        where = f"{plain(file)}: {place}" if place else plain(file)
        super().__init__(f"{where}: {reason}", hint)
        self.file = file
        self.place = place
        self.reason = reason


class ExchangeError(CandlecastUserError):
    """A request to the exchange failed."""


class Unreachable(ExchangeError):
    """No answer, or only server errors. Retry later."""

    exit_status = 69  # EX_UNAVAILABLE


class UnknownSymbol(ExchangeError):
    """The exchange has no such symbol."""


class Disconnected(ExchangeError):
    """The stream ended; the message says why."""


class NotPublished(ExchangeError):
    """The archive does not have this file, or not yet."""


class ArchiveRefused(ExchangeError):
    """A downloaded archive does not match its CHECKSUM file."""


class HttpNotFound(ExchangeError):
    """HTTP 404."""


class RequestRefused(ExchangeError):
    """HTTP 4xx that a retry does not fix; ``answer`` is the truncated body."""

    def __init__(self, message: str, answer: str) -> None:
        super().__init__(message, "Check the symbol's name and the exchange's address.")
        self.answer = answer


class RowRefused(FileRefused):
    """A row that violates a CHECK constraint of candles_1m; ``index`` is its position in the Candles."""

    def __init__(self, index: int, *what: str) -> None:
        super().__init__(*what)
        self.index = index


class StoreLost(Exception):
    """The database does not answer; the feed retries in the background."""


class AnotherFeed(CandlecastUserError):
    """Another feed writes this symbol."""

    exit_status = 75  # EX_TEMPFAIL


class LookAhead(CandlecastUserError):
    """A row uses data from after its own minute."""


class AlreadyRunning(CandlecastUserError):
    """Another retraining holds the lock of the symbol."""

    exit_status = 75  # EX_TEMPFAIL


class DatabaseGone(Exception):
    """The database did not answer the web service; ``reason`` names neither host nor port."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class QueryRefused(Exception):
    """The database rejected a query of the web service: a missing right or object, or a timeout."""

    def __init__(self, reason: str, hint: str | None, sqlstate: str | None, *, timed_out: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.sqlstate = sqlstate
        self.timed_out = timed_out
