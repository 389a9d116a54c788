"""Drops the roles of candlecast that nothing else uses."""

from db.migrations.objects import execute

ROLES = (
    "candlecast_cron",
    "candlecast_feeder",
    "candlecast_trainer",
    "candlecast_operator",
    "candlecast_reader",
    "candlecast_owner",
)


def drop_roles() -> None:
    """Drop each role that no object here or in another database depends on.

    Never DROP OWNED: an adopted table may belong to one of them.
    """
    for role in ROLES:
        execute(f"""
        revoke usage on schema public from {role};
        do $$
        declare
            used_by text;
        begin
            execute format('revoke all on database %I from {role}', current_database());
            drop role {role};
        exception when dependent_objects_still_exist then
            get stacked diagnostics used_by = pg_exception_detail;
            raise notice 'role {role} is kept because it is in use: %', replace(used_by, e'\\n', '; ');
        end
        $$""")
