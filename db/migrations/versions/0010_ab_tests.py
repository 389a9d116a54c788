"""Champion and challengers: states with their history, daily evaluation, promotion and rollback, and their views.

Revises: 0009
"""

from db.migrations.extensions import notice, pg_cron_is_here
from db.migrations.objects import create, execute, scalar

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# What is known of the time before: when each ensemble was created, and since when one is live or on test.
KNOWN = """
update active_ensembles set
    is_retired = not (is_active or is_test) and deactivated_at is not null,
    changed_at = coalesce(case when is_active then activated_at else deactivated_at end, created_at),
    change_event = case
        when is_active then 'activated' when is_test then 'tested' when deactivated_at is not null then 'retired'
        else 'created'
    end,
    change_reason = 'before candlecast kept a history';
insert into ensemble_events (symbol, ensemble_id, event, to_state, at_time, recorded_at, reason)
select symbol, id, 'created', 'waiting', created_at, created_at, 'before candlecast kept a history'
from active_ensembles order by created_at, id;
insert into ensemble_events (symbol, ensemble_id, event, from_state, to_state, at_time, recorded_at, reason)
select symbol, id, change_event, 'waiting', state, changed_at, changed_at, change_reason
from active_ensembles where state <> 'waiting' order by changed_at, id
"""
# The table is made anew from its file of either version, with the values that it had.
SET_ASIDE = "create temp table kept as select name, value from public.ml_settings; drop table public.ml_settings"
BRING_BACK = """
update ml_settings set value = kept.value from kept where kept.name = ml_settings.name;
drop table kept
"""


def upgrade() -> None:
    create("ab_evaluations", version=1)
    create("active_ensembles", version=3)
    create("ensemble_events", version=1)
    execute(KNOWN)
    create("record_ensemble_event", version=1)
    create("unseen_from", version=1)
    create("test_ensemble", version=1)
    execute(SET_ASIDE)
    create("ml_settings", version=3)
    execute(BRING_BACK)
    create("evaluate_ab", version=1)
    create("preview_ab", version=1)
    create("ab_status", version=1)
    create("ensemble_history", version=1)
    create("ensemble_leaderboard", version=1)
    if pg_cron_is_here():
        create("evaluate_job", version=1)
    else:
        notice("the job candlecast-evaluate is not scheduled: pg_cron is not in this database")


def downgrade() -> None:
    events, evaluations = (scalar(f"select count(*) from {name}") for name in ("ensemble_events", "ab_evaluations"))
    if evaluations:
        notice(f"the history goes: {events} rows of ensemble_events and {evaluations} of ab_evaluations")
    if pg_cron_is_here():
        execute("delete from cron.job where jobname = 'candlecast-evaluate' and database = current_database()")
    execute("""
    drop view ensemble_leaderboard; drop view ensemble_history; drop view ab_status;
    drop function preview_ab(timestamptz); drop function evaluate_ab(timestamptz);
    """)
    execute(SET_ASIDE)
    create("ml_settings", version=2)
    execute(BRING_BACK)
    execute("""
    drop function test_ensemble(bigint); drop function unseen_from(bigint);
    drop trigger ensemble_created on active_ensembles; drop trigger ensemble_changed on active_ensembles;
    drop function record_ensemble_event();
    drop table ensemble_events;
    drop index active_ensembles_one_shadow_per_symbol;
    alter table active_ensembles
        drop constraint active_ensembles_one_state,
        drop column state, drop column is_shadow, drop column is_retired, drop column changed_at,
        drop column change_event, drop column change_reason, drop column change_evaluation_id;
    drop table ab_evaluations;
    """)
