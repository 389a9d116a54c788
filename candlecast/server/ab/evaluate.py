"""evaluate_ab() and preview_ab(): every challenger against its symbol's active ensemble, once a day or on demand.

One transaction: compare, decide, change what is live, and a row of ab_evaluations for each comparison.
"""

from itertools import groupby
from typing import Any

from candlecast.core.errors import CandlecastError, TimeNotReached, TimeUnreadable
from candlecast.core.settings import Settings, resolve
from candlecast.core.times import MINUTE_SECONDS, parse_timestamp
from candlecast.server.ab.decision import Standing, decide
from candlecast.server.ab.evaluation_row import Row, insert, row_of
from candlecast.server.ab.figures import accuracies, paired_minutes
from candlecast.server.ab.pairs import Comparison, comparisons, since, window
from candlecast.server.registry.lifecycle import Change, lock, prove
from candlecast.server.reporting import in_words, reported
from candlecast.server.run_log import raise_cancel
from candlecast.server.session import Session
from candlecast.server.settings import STORED_SETTINGS

_REFUSED = """
select pg_notify('candlecast', json_build_object(
    'event', 'refused', 'symbol', symbol, 'ensemble_id', challenger_id, 'at_time', at_time, 'reason', left(reason, 1000)
)::text)
from public.ab_evaluations where id = $1"""
_NOW = f"select extract(epoch from clock_timestamp())::float8 as now, {STORED_SETTINGS}"


@reported
def evaluate_ab(plpy: Any, cache: dict, at_time: str | None) -> list[Row]:
    """Compare, decide and act as of at_time (null: now); returns the rows added. Raises TimeNotReached."""
    session = Session.of(plpy, cache)
    lock(session)
    at, settings = _as_of(session, at_time)
    judged = _judged(session, at, settings)
    return [row for _, rows in groupby(judged, key=lambda row: row["symbol"]) for row in _act(session, at, list(rows))]


@reported
def preview_ab(plpy: Any, cache: dict, at_time: str | None) -> list[Row]:
    """What evaluate_ab() would decide, writing nothing. Raises TimeNotReached."""
    session = Session.of(plpy, cache)
    at, settings = _as_of(session, at_time)
    return _judged(session, at, settings)


def _as_of(session: Session, at_time: str | None) -> tuple[float, Settings]:
    """The minute that is evaluated, epoch seconds, and the settings."""
    row = session.rows(_NOW)[0]
    at = row["now"] if at_time is None else parse_timestamp(at_time)
    if at < 0:
        raise TimeUnreadable(text=at_time)
    if at > row["now"]:
        raise TimeNotReached(time=at_time)
    return at // MINUTE_SECONDS * MINUTE_SECONDS, resolve(row["settings"])


def _judged(session: Session, at: float, settings: Settings) -> list[Row]:
    return [_judge(session, comparison, at, settings) for comparison in comparisons(session, at)]


def _judge(session: Session, comparison: Comparison, at: float, settings: Settings) -> Row:
    """One comparison, and what it means by itself."""
    seen = window(session, comparison, at)
    first, sequence = since(session, comparison, at)
    standing = Standing(comparison, at, first, paired_minutes(seen), accuracies(seen, (1,)), sequence)
    return row_of(standing, seen, decide(standing, settings), settings)


def _act(session: Session, at: float, judged: list[Row]) -> list[Row]:
    """Carry one symbol's decisions out: at most one of them changes what is live."""
    live: int | None = None
    rows = []
    for row in sorted(judged, key=_precedence):
        too_late = live is not None and row["decision"] in ("promote", "keep")
        if too_late and row["role"] == "shadow":
            reason = f"ensemble {live} has just become active: nothing left to judge"
            row |= {"decision": "retire", "reason": reason}
        elif too_late:
            row |= {
                "decision": "keep",
                "reason": f"ensemble {live} has just become active: compared with that one from now on",
            }
        elif row["decision"] in ("promote", "roll_back") and (refusal := _refusal(session, row["challenger_id"])):
            row |= {"decision": "refuse", "reason": f"{refusal} It would have been: {row['reason']}"}
        stored = insert(session, row)
        rows.append(stored)
        if stored["decision"] == "refuse":
            session.rows(_REFUSED, ["bigint"], [stored["id"]])
        if not too_late:  # else it is what the promotion has done already
            _carry_out(Change(session, stored["reason"], at, stored["id"]), stored)
        if stored["decision"] in ("promote", "roll_back"):
            live = stored["challenger_id"]
    return rows


def _precedence(row: Row) -> tuple:
    """Retirements first, then a roll-back, then promotions, the best of them first, by the rule's figure."""
    place = ("retire", "roll_back", "promote", "keep").index(row["decision"])
    return place, -(row["difference_1m"] or 0.0), -(row["sequence_low"] or 0.0), row["challenger_id"]


def _refusal(session: Session, ensemble_id: int) -> str | None:
    """Why an ensemble cannot go live: it does not load here, or does not give its golden outputs."""
    try:
        prove(session, ensemble_id)
    except (CandlecastError, session.plpy.SPIError) as error:
        raise_cancel(error)
        return in_words(error)
    return None


def _carry_out(change: Change, row: Row) -> None:
    challenger = row["challenger_id"]
    if row["decision"] == "retire":
        change.move(challenger, "retired", "retired")
    elif row["decision"] == "promote":
        change.replace(row["symbol"], challenger, "promoted", leaves_as="shadow", leaving_event="replaced")
    elif row["decision"] == "roll_back":
        change.replace(row["symbol"], challenger, "restored", leaves_as="retired", leaving_event="rolled_back")
