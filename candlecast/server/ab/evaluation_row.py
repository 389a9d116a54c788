"""An evaluation and its row of ab_evaluations. The comments of the table explain the columns."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from candlecast.core.settings import Settings
from candlecast.core.times import DAY_SECONDS, format_timestamp
from candlecast.server.ab.decision import Comparison, Decision
from candlecast.server.ab.figures import Accuracies
from candlecast.server.session import Session

Row = dict[str, Any]
_INSERT = """
insert into public.ab_evaluations ({names})
select {names} from jsonb_populate_record(null::public.ab_evaluations, $1)
returning *"""


@dataclass(frozen=True)
class Evaluation:
    """The figures of a challenge, the decision, and the settings that it used."""

    comparison: Comparison
    decision: Decision
    settings: Settings


def build_row(evaluation: Evaluation) -> Row:
    """The row of an evaluation that is not stored; id and evaluated_at are None."""
    columns = _build_columns(evaluation)
    return {"id": None, "evaluated_at": None} | columns | {"by_horizon": json.dumps(columns["by_horizon"])}


def insert_row(session: Session, evaluation: Evaluation) -> Row:
    """Store an evaluation; returns its row with id and evaluated_at."""
    columns = _build_columns(evaluation)
    query = _INSERT.format(names=", ".join(columns))
    return dict(session.rows(query, ["jsonb"], [json.dumps(columns)])[0])


def _build_columns(evaluation: Evaluation) -> Row:
    comparison, decision, settings = evaluation.comparison, evaluation.decision, evaluation.settings
    challenge, day, sequence = comparison.challenge, comparison.day, comparison.sequence
    low, high = sequence.bounds
    return {
        "at_time": format_timestamp(comparison.at),
        "symbol": challenge.symbol,
        "active_id": challenge.active_id,
        "challenger_id": challenge.challenger_id,
        "role": challenge.role,
        "since": None if comparison.since is None else format_timestamp(comparison.since),
        "window_from": format_timestamp(comparison.at - DAY_SECONDS),
        "pairs": day.pairs,
        **_build_accuracies(day.one_minute, "_1m"),
        "active_only_right": day.active_only_right,
        "challenger_only_right": day.challenger_only_right,
        "mcnemar_p": day.mcnemar_p,
        **_build_accuracies(day.all_horizons, ""),
        "loss": day.loss and day.loss.name,
        "loss_difference": day.loss and day.loss.difference,
        "loss_standard_error": day.loss and day.loss.standard_error,
        "by_horizon": [{"horizon": horizon} | _unpack(found) for horizon, found in day.by_horizon.items()],
        "sequence_minutes": sequence.minutes,
        "sequence_disagreements": sequence.disagreements,
        "sequence_difference": sequence.difference,
        "sequence_low": low,
        "sequence_high": high,
        "promotion_margin": settings.promotion_margin,
        "promotion_guard": settings.promotion_guard,
        "decision": decision.kind,
        "reason": decision.reason,
    }


def _build_accuracies(found: Accuracies | None, suffix: str) -> Row:
    figures = _unpack(found)
    return {
        f"active_accuracy{suffix}": figures["active"],
        f"challenger_accuracy{suffix}": figures["challenger"],
        f"difference{suffix}": figures["difference"],
        f"difference{suffix}_low": figures["low"],
        f"difference{suffix}_high": figures["high"],
    }


def _unpack(found: Accuracies | None) -> dict[str, float | None]:
    """The figures by name; all None where the price never changed."""
    return asdict(found) if found else dict.fromkeys(field.name for field in fields(Accuracies))
