"""A/B tests: the history of the states of ensembles, the daily evaluation, and their views.

Revises: 0005
"""

from db.migrations.extensions import notice
from db.migrations.objects import create, execute, scalar

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# After a downgrade the ensembles are still there: their history starts again with what is known of them.
KNOWN = """
insert into ensemble_events (symbol, ensemble_id, event, to_state, at_time, recorded_at, reason)
select symbol, id, 'created', 'waiting', created_at, created_at, 'before the recorded history'
from active_ensembles order by created_at, id;
insert into ensemble_events (symbol, ensemble_id, event, from_state, to_state, at_time, recorded_at, reason)
select
    symbol, id, change_event, 'waiting', state, changed_at, changed_at,
    coalesce(change_reason, 'before the recorded history')
from active_ensembles where state <> 'waiting' order by changed_at, id
"""


def upgrade() -> None:
    create("ab/ab_evaluations", version=1)
    create("ab/ensemble_events", version=1)
    execute(KNOWN)
    create("ab/record_ensemble_event", version=1)
    create("ab/evaluate_ab", version=1)
    create("ab/preview_ab", version=1)
    create("ab/ab_status", version=1)
    create("ab/ensemble_history", version=1)
    create("ab/ensemble_leaderboard", version=1)


def downgrade() -> None:
    events, evaluations = (scalar(f"select count(*) from {name}") for name in ("ensemble_events", "ab_evaluations"))
    if evaluations:
        notice(f"dropping ensemble_events with {events} rows and ab_evaluations with {evaluations} rows")
    execute("""
    drop view ensemble_leaderboard; drop view ensemble_history; drop view ab_status;
    drop function preview_ab(timestamptz); drop function evaluate_ab(timestamptz);
    drop trigger ensemble_created on active_ensembles; drop trigger ensemble_changed on active_ensembles;
    drop function record_ensemble_event();
    drop table ensemble_events;
    alter table active_ensembles drop constraint active_ensembles_change_evaluation_id_fkey;
    update active_ensembles set change_evaluation_id = null where change_evaluation_id is not null;
    drop table ab_evaluations;
    """)
