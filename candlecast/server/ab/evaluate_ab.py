"""evaluate_ab() and preview_ab(): every challenger against its symbol's active ensemble, once a day or on demand.

One transaction: compare, decide, change what is live, and a row of ab_evaluations for each challenge.
"""

from dataclasses import replace
from itertools import groupby
from typing import Any

from candlecast.core.errors import CandlecastError, TimeNotReached, TimeUnreadable
from candlecast.core.settings import Settings, resolve
from candlecast.core.times import MINUTE_SECONDS, parse_timestamp
from candlecast.server.ab.challenges import Challenge, list_challenges
from candlecast.server.ab.decision import Decision, Standing, decide
from candlecast.server.ab.evaluation_row import Evaluation, Row, build_row, insert_row
from candlecast.server.ab.figures import compute_figures
from candlecast.server.ab.paired_minutes import load_day, load_sequence
from candlecast.server.registry.lifecycle import Change, lock_ensembles, prove
from candlecast.server.reporting import in_words, report_errors
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
    """Compare, decide and act as of at_time (null: now); returns the rows added. Raises TimeNotReached."""
    session = Session.of(plpy, cache)
    lock_ensembles(session)
    at, settings = _read_as_of(session, at_time)
    evaluations = _evaluate_all(session, at, settings)
    by_symbol = groupby(evaluations, key=lambda evaluation: evaluation.standing.challenge.symbol)
    return [row for _, of_symbol in by_symbol for row in _act(session, list(of_symbol))]


@report_errors
def preview_ab(plpy: Any, cache: dict, at_time: str | None) -> list[Row]:
    """What evaluate_ab() would decide, writing nothing. Raises TimeNotReached."""
    session = Session.of(plpy, cache)
    at, settings = _read_as_of(session, at_time)
    return [build_row(evaluation) for evaluation in _evaluate_all(session, at, settings)]


def _read_as_of(session: Session, at_time: str | None) -> tuple[float, Settings]:
    """The minute that is evaluated, epoch seconds, and the settings."""
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
    """One challenge, and what it means by itself."""
    since, sequence = load_sequence(session, challenge, at)
    day = compute_figures(load_day(session, challenge, at))
    standing = Standing(challenge, at, since, sequence, day)
    return Evaluation(standing, decide(standing, settings), settings)


def _act(session: Session, evaluations: list[Evaluation]) -> list[Row]:
    """Carry one symbol's decisions out: at most one of them changes what is live."""
    live: int | None = None
    rows = []
    for evaluation in sorted(evaluations, key=_rank):
        challenger = evaluation.standing.challenge.challenger_id
        too_late = live is not None and evaluation.decision.kind in ("promote", "keep")
        decision = _overtake(evaluation, live) if too_late else _try_out(session, evaluation)
        row = insert_row(session, replace(evaluation, decision=decision))
        rows.append(row)
        if decision.kind == "refuse":
            session.rows(_REFUSED, ["bigint"], [row["id"]])
        if not too_late:  # else it is what the promotion has done already
            change = Change(session, decision.reason, evaluation.standing.at, row["id"])
            _carry_out(change, evaluation.standing.challenge, decision)
        if decision.kind in ("promote", "roll_back"):
            live = challenger
    return rows


def _rank(evaluation: Evaluation) -> tuple:
    """Retirements first, then a roll-back, then promotions, the best of them first, by the rule's figure."""
    standing = evaluation.standing
    place = ("retire", "roll_back", "promote", "keep").index(evaluation.decision.kind)
    difference = standing.day.one_minute.difference if standing.day.one_minute else 0.0
    return place, -difference, -standing.sequence.bounds[0], standing.challenge.challenger_id


def _overtake(evaluation: Evaluation, live: int | None) -> Decision:
    """What becomes of one that was compared with an ensemble that has just been replaced."""
    if evaluation.standing.challenge.role == "shadow":
        return Decision("retire", f"ensemble {live} has just become active: nothing left to judge")
    return Decision("keep", f"ensemble {live} has just become active: compared with that one from now on")


def _try_out(session: Session, evaluation: Evaluation) -> Decision:
    """The decision; a refusal where the winner cannot go live: it does not load here, or fails its test vectors."""
    decision = evaluation.decision
    if decision.kind not in ("promote", "roll_back"):
        return decision
    try:
        prove(session, evaluation.standing.challenge.challenger_id)
    except (CandlecastError, session.plpy.SPIError) as error:
        raise_cancel(error)
        return Decision("refuse", f"{in_words(error)} It would have been: {decision.reason}")
    return decision


def _carry_out(change: Change, challenge: Challenge, decision: Decision) -> None:
    challenger = challenge.challenger_id
    if decision.kind == "retire":
        change.move(challenger, "retired", "retired")
    elif decision.kind == "promote":
        change.replace(challenge.symbol, challenger, "promoted", leaves_as="shadow", leaving_event="replaced")
    elif decision.kind == "roll_back":
        change.replace(challenge.symbol, challenger, "restored", leaves_as="retired", leaving_event="rolled_back")
