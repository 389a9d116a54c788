"""Every error that a caller can meet: a SQLSTATE, a message, a DETAIL, and a HINT that says what to do.

An exception's docstring is its message; ``{names}`` in it are the facts that it was raised with.
``candlecast.server.reporting`` turns them into PostgreSQL errors at the edge.
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
    hint = "Load the missing candles with 'candlecast load FILE...', or wait until the gap is over 209 minutes back."


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


class GoldenRowsFailed(CandlecastError):
    """{what} does not give its own golden outputs ({runtime}): off by {difference}"""

    sqlstate = "CC012"
    hint = "The files are not the model that was evaluated, or a runtime differs. Train and publish again."


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
