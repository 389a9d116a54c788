"""Refuses a database of candlecast from before its first release: no step leads on from the ones that made it.

Those steps kept their place in `alembic_version`, a table that another application's Alembic may use as well. So it is
by a table of candlecast's own that such a database is told.
"""

import sys

from sqlalchemy import Connection

from db.migrations import notes

VERSION_TABLE = "candlecast_version"

ADVICE = r"""alembic: database {name} is of a candlecast from before its first release: no upgrade leads on from there.
Nothing was changed. Its candles can be kept; models and predictions are made anew. After make up: `. ./.env` first.
  1. Copy the candles out, a file for each symbol, and look at the files:
       export PGDATESTYLE=ISO PGTZ=UTC
       psql -XAt "$DATABASE_URL" -c 'select distinct symbol from candles_1m' | while read -r symbol; do
         n=$((n + 1))
         psql -X "$DATABASE_URL" -c "copy (select * from candles_1m where symbol = '$symbol') to stdout csv header" \
           > candles.$n.csv
       done
  2. Make the database anew. This drops what else is in it, and ends its sessions; where pg_cron lives in it, restart
     the server then. (Or go down with the candlecast that made it: there, `alembic downgrade base` drops what is of
     candlecast alone, and gives a candles_1m back that was there before.)
       psql -X "$DATABASE_URL" -v ON_ERROR_STOP=1 -c '\connect postgres' \
         -c 'drop database "{name}" with (force)' -c 'create database "{name}"'
  3. Where make up made it: make down; make up CANDLES='candles.*.csv'. Elsewhere:
       alembic upgrade head && candlecast load candles.*.csv"""


def refuse_unreleased(connection: Connection) -> None:
    """Stop, before anything is changed, where candlecast's tables are here and its version table is not."""
    name, is_unreleased = connection.exec_driver_sql(f"""
        select current_database(), to_regclass('public.{VERSION_TABLE}') is null and (
            starts_with(obj_description(to_regclass('public.migration_notes'), 'pg_class'), '{notes.COMMENT}')
            or to_regclass('public.ml_settings') is not null and to_regclass('public.active_ensembles') is not null
        )
    """).one()
    if is_unreleased:
        sys.exit(ADVICE.format(name=name))
