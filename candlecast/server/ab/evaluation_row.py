"""Rows of ab_evaluations: the table's own text says what each column means."""

import json
from dataclasses import asdict, fields
from typing import Any

from candlecast.core.settings import Settings
from candlecast.core.times import format_timestamp
from candlecast.core.windows import HORIZONS
from candlecast.server.ab.decision import Decision, Standing
from candlecast.server.ab.figures import Accuracies, Window, accuracies, loss, mcnemar, only_one_right
from candlecast.server.ab.pairs import DAY
from candlecast.server.session import Session

Row = dict[str, Any]
_INSERT = """
insert into public.ab_evaluations ({names})
select {names} from jsonb_populate_record(null::public.ab_evaluations, $1)
returning *"""


def row_of(standing: Standing, seen: Window, decision: Decision, settings: Settings) -> Row:
    """A comparison as a row that is not stored: id and evaluated_at are None."""
    comparison, by_loss = standing.comparison, loss(seen)
    one, pooled = _figures(standing.one_minute), _figures(accuracies(seen))
    active_only, challenger_only = only_one_right(seen)
    low, high = standing.sequence.bounds
    return {
        "id": None,
        "evaluated_at": None,
        "at_time": format_timestamp(standing.at),
        "symbol": comparison.symbol,
        "active_id": comparison.active_id,
        "challenger_id": comparison.challenger_id,
        "role": comparison.role,
        "since": None if standing.since is None else format_timestamp(standing.since),
        "window_from": format_timestamp(standing.at - DAY),
        "pairs": standing.pairs,
        "active_accuracy_1m": one["active"],
        "challenger_accuracy_1m": one["challenger"],
        "difference_1m": one["difference"],
        "difference_1m_low": one["low"],
        "difference_1m_high": one["high"],
        "active_only_right": active_only,
        "challenger_only_right": challenger_only,
        "mcnemar_p": mcnemar(active_only, challenger_only),
        "active_accuracy": pooled["active"],
        "challenger_accuracy": pooled["challenger"],
        "difference": pooled["difference"],
        "difference_low": pooled["low"],
        "difference_high": pooled["high"],
        "loss": by_loss and by_loss.name,
        "loss_difference": by_loss and by_loss.difference,
        "loss_standard_error": by_loss and by_loss.standard_error,
        "by_horizon": json.dumps(
            [{"horizon": horizon} | _figures(accuracies(seen, (horizon,))) for horizon in HORIZONS]
        ),
        "sequence_minutes": standing.sequence.minutes,
        "sequence_disagreements": standing.sequence.disagreements,
        "sequence_difference": standing.sequence.difference,
        "sequence_low": low,
        "sequence_high": high,
        "promotion_margin": settings.promotion_margin,
        "promotion_guard": settings.promotion_guard,
        "decision": decision.kind,
        "reason": decision.reason,
    }


def insert(session: Session, row: Row) -> Row:
    """Store a row; returns it with id and evaluated_at."""
    document = {name: value for name, value in row.items() if name not in ("id", "evaluated_at")}
    document["by_horizon"] = json.loads(row["by_horizon"])
    query = _INSERT.format(names=", ".join(document))
    return dict(session.rows(query, ["jsonb"], [json.dumps(document)])[0])


def _figures(found: Accuracies | None) -> dict[str, float | None]:
    names = [field.name for field in fields(Accuracies)]
    return asdict(found) if found else dict.fromkeys(names)
