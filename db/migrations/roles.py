"""Takes away this database's roles, where no other database of the cluster uses them."""

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
    """Revoke what the roles hold here, then drop each that nothing else depends on."""
    for role in ROLES:
        execute(f"""
        do $$
        begin
            drop owned by {role};
            drop role {role};
        exception when dependent_objects_still_exist then
            revoke all on schema public from {role};
            raise notice 'role {role} stays: other databases use it';
        end
        $$""")
