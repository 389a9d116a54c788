"""``candlecast status``: what is stored, what is live, and how the last minutes went."""

import json

import psycopg
from psycopg.rows import TupleRow
from rich import box
from rich.console import Console
from rich.table import Table

from candlecast.settings import resolve
from trainer.database import connect, explain
from trainer.display import cell, console

_CANDLES = """
with recursive symbols as (
    (select symbol from candles_1m order by symbol limit 1)
    union all
    select (select min(symbol) from candles_1m where symbol > symbols.symbol) from symbols where symbol is not null
)
select
    symbols.symbol, first.open_time, newest.open_time,
    justify_interval(date_trunc('second', now() - newest.open_time - interval '1 minute'))::text
from symbols
cross join lateral (select min(open_time) as open_time from candles_1m where symbol = symbols.symbol) as first
cross join lateral (select max(open_time) as open_time from candles_1m where symbol = symbols.symbol) as newest
where symbols.symbol is not null"""
_ENSEMBLES = """
select
    e.id, e.symbol,
    concat_ws(
        e'\\n', e.state,
        round(age.seconds / 86400, 1) || ' d old', case when age.seconds > %(expiry)s then 'expired' end
    ),
    'Mamba ' || m.version || e'\\nLightGBM ' || l.version,
    coalesce(e.mamba_weight || e'\\n' || 1 - e.mamba_weight, e'from\\nml_settings'),
    round(100 * m.accuracy_1m, 1) || e' %%\\n' || round(100 * l.accuracy_1m, 1) || ' %%',
    (select max(candle_time) from predictions as p where p.symbol = e.symbol and p.ensemble_id = e.id)
from active_ensembles as e
inner join model_versions as m on m.id = e.mamba_version_id
inner join model_versions as l on l.id = e.lgbm_version_id
cross join lateral (select extract(epoch from now() - least(m.trained_at, l.trained_at)) as seconds) as age
where e.state in ('active', 'test', 'shadow')
order by e.symbol, array_position(array['active', 'test', 'shadow'], e.state), e.id"""
# What comes next has a line for when and what, one for why, one for the end of a test that stays undecided.
_TESTS = """
select
    symbol, challenger_id || ' ' || role || coalesce(e'\\nagainst ' || active_id, ''), since, pairs,
    coalesce(
        to_char(100 * difference, 'FMS990.00')
        || e'\\n[' || to_char(100 * low, 'FMS990.00') || ', ' || to_char(100 * high, 'FMS990.00') || ']', '-'
    ),
    concat_ws(
        e'\\n',
        to_char(next_evaluation, 'YYYY-MM-DD HH24:MI: ') || case outlook
            when 'promote' then 'becomes active'
            when 'roll_back' then 'active again'
            when 'retire' then 'retires'
            when 'refuse' then 'refused'
            else 'goes on'
        end,
        why,
        case when role = 'test' and outlook = 'keep' then to_char(ends_at, '"ends "YYYY-MM-DD" where undecided"') end
    )
from ab_status
order by symbol, role desc, challenger_id"""
_RUNS = """
select symbol, ensemble_id, status, count(*), max(candle_time),
    round((percentile_cont(0.5) within group (order by latency_ms))::numeric, 1),
    (array_agg(coalesce(error, warning) order by id desc))[1]
from inference_runs where started_at > now() - interval '1 hour'
group by symbol, ensemble_id, status order by symbol, ensemble_id, status"""
_TRAININGS = """
select distinct on (symbol) symbol, id, status, started_at, version, reason
from training_runs order by symbol, id desc"""
_TESTS_CAPTION = (
    "pairs: minutes of the last 24 hours that both predicted. points: how much more often the challenger was right at "
    "one minute since its test began, with a 95 % confidence sequence. next: as things stand now."
)
#: Columns that give way on a narrow terminal: no version, time or number is torn apart.
_FOLDED = ("symbol", "newest prediction", "age", "last error or warning", "reason", "next")


def print_status(url: str | None = None) -> None:
    """Print candles, ensembles, A/B tests, the last hour's runs, the newest retrainings. Raises CandlecastUserError."""
    out = console()
    with connect(url) as connection:
        try:
            connection.execute("set transaction read only")
            connection.execute("set local timezone = 'UTC'")
            _print(out, connection, "Candles", ("symbol", "first", "newest", "age"), _CANDLES)
            ensembles = ("id", "symbol", "state", "models", "weight", "right", "newest prediction")
            _print(out, connection, "Ensembles", ensembles, _ENSEMBLES, {"expiry": _expiry(connection)})
            tests = ("symbol", "challenger", "since", "pairs", "points", "next")
            _print(out, connection, "A/B tests", tests, _TESTS, caption=_TESTS_CAPTION)
            runs = ("symbol", "ensemble", "status", "runs", "newest", "median ms", "last error or warning")
            _print(out, connection, "Inference runs of the last hour", runs, _RUNS)
            trainings = ("symbol", "run", "status", "started", "version", "reason")
            _print(out, connection, "The newest retraining of each symbol", trainings, _TRAININGS)
        except psycopg.Error as error:
            raise explain(error) from error


def _print(
    out: Console,
    connection: psycopg.Connection[TupleRow],
    title: str,
    names: tuple[str, ...],
    query: str,
    values: dict[str, float | None] | None = None,
    caption: str | None = None,
) -> None:
    rows = connection.execute(query, values).fetchall()
    if not rows:
        out.print(f"{title}: none")
        return
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.caption, table.caption_justify = caption, "left"
    for name in names:
        if name in _FOLDED:
            table.add_column(name, overflow="fold")
        else:
            table.add_column(name, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(cell(_text(value)) for value in row))
    out.print(table)
    out.print()


def _expiry(connection: psycopg.Connection[TupleRow]) -> float | None:
    """Seconds after which models are old, as the server goes by; None: never."""
    row = connection.execute("select ml_setting('model_expiry')").fetchone()
    assert row is not None
    return resolve(json.dumps({"model_expiry": row[0]}), {}).model_expiry


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "strftime") else str(value)
