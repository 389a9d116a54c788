"""Refuses a database of a candlecast from before its first release: there is no upgrade from its migrations.

They kept their version in `alembic_version`, which another application's Alembic may also use. So such a database is
recognized by a table of candlecast.
"""

import sys

from sqlalchemy import Connection

from db.migrations import notes

VERSION_TABLE = "candlecast_version"

ADVICE = r"""alembic: database {name} is of a candlecast from before its first release: there is no upgrade from it.
Nothing was changed. You can keep the candles, but not the models and predictions. After make up run `. ./.env` first.
  1. Export the candles, one file per symbol, and check the files:
       export PGDATESTYLE=ISO PGTZ=UTC
       psql -XAt "$DATABASE_URL" -c 'select distinct symbol from candles_1m' | while read -r symbol; do
         n=$((n + 1))
         psql -X "$DATABASE_URL" -c "copy (select * from candles_1m where symbol = '$symbol') to stdout csv header" \
           > candles.$n.csv
       done
  2. Create the database again. This drops everything in it and ends its sessions. If pg_cron is in it, restart the
     server afterwards. (Or run `alembic downgrade base` with the candlecast that created it: this drops only
     candlecast's objects, and restores a candles_1m that existed before.)
       psql -X "$DATABASE_URL" -v ON_ERROR_STOP=1 -c '\connect postgres' \
         -c 'drop database "{name}" with (force)' -c 'create database "{name}"'
  3. If make up created it: make down; make up CANDLES='candles.*.csv'. Otherwise:
       alembic upgrade head && candlecast load candles.*.csv"""


def refuse_unreleased(connection: Connection) -> None:
    """Exit before any change if candlecast's tables exist and its version table does not."""
    name, is_unreleased = connection.exec_driver_sql(f"""
        select current_database(), to_regclass('public.{VERSION_TABLE}') is null and (
            starts_with(obj_description(to_regclass('public.migration_notes'), 'pg_class'), '{notes.MARK}')
            or to_regclass('public.ml_settings') is not null and to_regclass('public.active_ensembles') is not null
        )
    """).one()
    if is_unreleased:
        sys.exit(ADVICE.format(name=name))
