"""evaluate_ab() and preview_ab(): compare every challenger with the active ensemble of its symbol, daily or on demand.

One transaction: compare, decide, change the states of the ensembles, and write a row of ab_evaluations per challenge.
"""

from dataclasses import replace
from itertools import groupby
from typing import Any

from candlecast.core.errors import CandlecastError, TimeNotReached, TimeUnreadable
from candlecast.core.settings import Settings, resolve
from candlecast.core.times import MINUTE_SECONDS, parse_timestamp
from candlecast.server.ab.challenges import Challenge, list_challenges
from candlecast.server.ab.decision import Comparison, Decision, decide
from candlecast.server.ab.evaluation_row import Evaluation, Row, build_row, insert_row
from candlecast.server.ab.figures import compute_figures
from candlecast.server.ab.paired_minutes import load_day, load_sequence
from candlecast.server.registry.lifecycle import Change, lock_ensembles, validate
from candlecast.server.reporting import error_text, report_errors
from candlecast.server.run_log import raise_cancel
from candlecast.server.session import Session
from candlecast.server.settings import STORED_SETTINGS

_REFUSED = """
select pg_notify('candlecast', json_build_object(
    'event', 'refused', 'symbol', symbol, 'ensemble_id', challenger_id, 'at_time', at_time, 'reason', left(reason, 1000)
)::text)
from public.ab_evaluations where id = $1"""
_NOW = f"select extract(epoch from clock_timestamp())::float8 as now, {STORED_SETTINGS}"


@report_errors
def evaluate_ab(plpy: Any, cache: dict, at_time: str | None) -> list[Row]:
    """Compare, decide and apply as of at_time (None: now); returns the rows added. Raises TimeNotReached."""
    session = Session.of(plpy, cache)
    lock_ensembles(session)
    at, settings = _read_as_of(session, at_time)
    evaluations = _evaluate_all(session, at, settings)
    by_symbol = groupby(evaluations, key=lambda evaluation: evaluation.comparison.challenge.symbol)
    return [row for _, of_symbol in by_symbol for row in _apply_all(session, list(of_symbol))]


@report_errors
def preview_ab(plpy: Any, cache: dict, at_time: str | None) -> list[Row]:
    """The rows that evaluate_ab() would add. Writes nothing. Raises TimeNotReached."""
    session = Session.of(plpy, cache)
    at, settings = _read_as_of(session, at_time)
    return [build_row(evaluation) for evaluation in _evaluate_all(session, at, settings)]


def _read_as_of(session: Session, at_time: str | None) -> tuple[float, Settings]:
    """The minute of the evaluation, epoch seconds, and the settings."""
    row = session.rows(_NOW)[0]
    at = row["now"] if at_time is None else parse_timestamp(at_time)
    if at < 0:
        raise TimeUnreadable(text=at_time)
    if at > row["now"]:
        raise TimeNotReached(time=at_time)
    return at // MINUTE_SECONDS * MINUTE_SECONDS, resolve(row["settings"])


def _evaluate_all(session: Session, at: float, settings: Settings) -> list[Evaluation]:
    return [_evaluate(session, challenge, at, settings) for challenge in list_challenges(session, at)]


def _evaluate(session: Session, challenge: Challenge, at: float, settings: Settings) -> Evaluation:
    """One challenge with its own decision, before those of the other challengers are considered."""
    since, sequence = load_sequence(session, challenge, at)
    day = compute_figures(load_day(session, challenge, at))
    comparison = Comparison(challenge, at, since, sequence, day)
    return Evaluation(comparison, decide(comparison, settings), settings)


def _apply_all(session: Session, evaluations: list[Evaluation]) -> list[Row]:
    """Apply the decisions of one symbol. At most one of them changes the active ensemble."""
    new_active: int | None = None
    rows = []
    for evaluation in sorted(evaluations, key=_rank):
        challenger = evaluation.comparison.challenge.challenger_id
        is_outdated = new_active is not None and evaluation.decision.kind in ("promote", "keep")
        decision = _decide_outdated(evaluation, new_active) if is_outdated else _check_winner(session, evaluation)
        row = insert_row(session, replace(evaluation, decision=decision))
        rows.append(row)
        if decision.kind == "refuse":
            session.rows(_REFUSED, ["bigint"], [row["id"]])
        if not is_outdated:  # otherwise the promotion has already applied it
            change = Change(session, decision.reason, evaluation.comparison.at, row["id"])
            _apply(change, evaluation.comparison.challenge, decision)
        if decision.kind in ("promote", "roll_back"):
            new_active = challenger
    return rows


def _rank(evaluation: Evaluation) -> tuple:
    """Sort key: retirements, then a rollback, then promotions with the largest difference first."""
    comparison = evaluation.comparison
    place = ("retire", "roll_back", "promote", "keep").index(evaluation.decision.kind)
    difference = comparison.day.one_minute.difference if comparison.day.one_minute else 0.0
    return place, -difference, -comparison.sequence.bounds[0], comparison.challenge.challenger_id


def _decide_outdated(evaluation: Evaluation, new_active: int | None) -> Decision:
    """The decision on a challenger whose active ensemble has just been replaced."""
    if evaluation.comparison.challenge.role == "shadow":
        return Decision("retire", f"ensemble {new_active} has just become active: this comparison ends")
    return Decision("keep", f"ensemble {new_active} has just become active: compared with it from now on")


def _check_winner(session: Session, evaluation: Evaluation) -> Decision:
    """The decision; 'refuse' where the winner cannot be activated: it does not load or fails its test vectors."""
    decision = evaluation.decision
    if decision.kind not in ("promote", "roll_back"):
        return decision
    try:
        validate(session, evaluation.comparison.challenge.challenger_id)
    except (CandlecastError, session.plpy.SPIError) as error:
        raise_cancel(error)
        return Decision("refuse", f"{error_text(error)} Result of the comparison: {decision.reason}")
    return decision


def _apply(change: Change, challenge: Challenge, decision: Decision) -> None:
    challenger = challenge.challenger_id
    if decision.kind == "retire":
        change.move(challenger, "retired", "retired")
    elif decision.kind == "promote":
        change.replace(challenge.symbol, challenger, "promoted", leaves_as="shadow", leaving_event="replaced")
    elif decision.kind == "roll_back":
        change.replace(challenge.symbol, challenger, "restored", leaves_as="retired", leaving_event="rolled_back")
