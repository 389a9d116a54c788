"""Lists the comparisons: each ensemble on test or in shadow with the active ensemble of its symbol."""

from dataclasses import dataclass

from candlecast.server.session import Session


@dataclass(frozen=True)
class Challenge:
    """An ensemble on test or in shadow (the challenger) and the active one of its symbol; times in epoch seconds.

    began: the earliest minute that may count: both are in their states, and it is out-of-sample for both.
    together_since: since when both are in their states. active_since: since when the active one is. Both are None where
    the change was after at_time.
    changed_later: a time after at_time when one of them changed its state or an evaluation changed the active ensemble.
    """

    symbol: str
    active_id: int | None
    challenger_id: int
    role: str
    began: float
    together_since: float | None
    active_since: float | None
    changed_later: float | None


# $1 is at_time, a whole minute. State changes after that minute are ignored. Changes within it count, because
# evaluate_ab() without a time may run seconds after them. Where at_time is before the creation of an ensemble, it is a
# replay: the test starts at the first paired minute. Otherwise a later change, also a manual one, blocks the decision.
_CHALLENGES = """
select
    challenger.symbol, active.id as active_id, challenger.id as challenger_id, challenger.state as role,
    extract(epoch from greatest(
        public.out_of_sample_from(challenger.id), public.out_of_sample_from(active.id),
        known.challenger_since, known.active_since
    ))::float8 as began,
    extract(epoch from case
        when known.challenger_since is not null then greatest(known.challenger_since, known.active_since)
    end)::float8 as together_since,
    extract(epoch from known.active_since)::float8 as active_since,
    extract(epoch from greatest(
        (
            select max(at_time) from public.ensemble_events
            where symbol = challenger.symbol and evaluation_id is not null and 'active' in (from_state, to_state)
                and at_time > to_timestamp($1)
        ),
        case
            when greatest(challenger.created_at, active.created_at) > to_timestamp($1) then null
            when known.challenger_since is null then challenger.changed_at
            when known.active_since is null then active.changed_at
        end
    ))::float8 as changed_later
from public.active_ensembles as challenger
left join public.active_ensembles as active on active.symbol = challenger.symbol and active.is_active
cross join lateral (values (
    case when date_trunc('minute', challenger.changed_at) <= to_timestamp($1) then challenger.changed_at end,
    case when date_trunc('minute', active.changed_at) <= to_timestamp($1) then active.changed_at end
)) as known (challenger_since, active_since)
where challenger.is_test or challenger.is_shadow
order by challenger.symbol, challenger.is_test, challenger.id"""


def list_challenges(session: Session, at: float) -> list[Challenge]:
    """All comparisons at ``at`` (epoch seconds), by symbol, the shadow first."""
    return [Challenge(**row) for row in session.rows(_CHALLENGES, ["float8"], [at])]
