"""Which ensembles are compared: each one on test or in shadow with its symbol's active one."""

from dataclasses import dataclass

from candlecast.server.session import Session


@dataclass(frozen=True)
class Challenge:
    """An ensemble on test or in shadow, and its symbol's active one; times in epoch seconds.

    began: when this challenge could begin: both in their states, no model fitted on what comes after. together_since:
    since when both are in their states; active_since: the active one. Both None where at_time did not know of it yet.
    changed_later: when either of them came into its state, or an evaluation changed what is live, after at_time.
    """

    symbol: str
    active_id: int | None
    challenger_id: int
    role: str
    began: float
    together_since: float | None
    active_since: float | None
    changed_later: float | None


# $1 is at_time, a whole minute. Changes after it are left out; those within it are known: evaluate_ab() without a time
# may come seconds after them. Where at_time lies before an ensemble was created it is a replay, and the first
# pair begins the test; else a change after at_time stands, an operator's too.
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
    """What is to be compared at ``at`` (epoch seconds): by symbol, the shadow first."""
    return [Challenge(**row) for row in session.rows(_CHALLENGES, ["float8"], [at])]
