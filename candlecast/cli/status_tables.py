"""``candlecast status``: tables of candles, feeds, ensembles, A/B tests, runs and training runs."""

import json
from collections import Counter

import psycopg
from psycopg.rows import TupleRow
from rich import box
from rich.console import Console
from rich.table import Table

from candlecast.client.database import connect, explain
from candlecast.client.display import cell, console
from candlecast.core.settings import resolve


def _age(interval: str) -> str:
    """SQL that formats an interval in its largest whole unit: 59 s, 59 min, 47 h or 3 d."""
    seconds = f"extract(epoch from {interval})"
    return f"""case
        when abs({seconds}) < 60 then trunc({seconds}) || ' s'
        when abs({seconds}) < 3600 then trunc({seconds} / 60) || ' min'
        when abs({seconds}) < 172800 then trunc({seconds} / 3600) || ' h'
        else trunc({seconds} / 86400) || ' d'
    end"""


_CANDLES = f"""
select
    candles.symbol, round(extract(epoch from candles.newest - candles.oldest) / 86400), candles.newest,
    {_age("candles.age")},
    case candles.missing_24h when 0 then 'none' else candles.missing_24h || ' in ' || candles.gaps_24h end,
    case
        when candles.feed_state in ('silent', 'stopped')
            then candles.feed_state || ' ' || {_age("now() - feed.heartbeat_at")}
        else candles.feed_state
    end,
    case
        when candles.newest_prediction > now() - interval '300 days'
            then to_char(candles.newest_prediction, 'MM-DD HH24:MI')
        else to_char(candles.newest_prediction, 'YYYY-MM-DD')
    end,
    candles.feed_state
from candle_status as candles
left join feed_status as feed on feed.symbol = candles.symbol
order by candles.symbol"""
# Errors of the last day, and those that still apply. A lost connection affects all symbols, so errors are grouped.
_FEED_ERRORS = """
select
    min(symbol) || case when count(*) > 1 then ' and ' || count(*) - 1 || ' more' else '' end,
    max(feed_error_at), feed_error
from candle_status
where feed_error_at > now() - interval '1 day' or feed_error is not null and feed_state in ('disconnected', 'silent')
group by feed_error
order by max(feed_error_at) desc, min(symbol)
limit 20"""
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
# The column next: a line for the next evaluation, one for the reason, one for the end of an undecided test.
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
            when 'promote' then 'promotion'
            when 'roll_back' then 'rollback'
            when 'retire' then 'retirement'
            when 'refuse' then 'rejection'
            else 'continues'
        end,
        why,
        case when role = 'test' and outlook = 'keep' then to_char(ends_at, '"ends "YYYY-MM-DD" if undecided"') end
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
_CANDLES_CAPTION = (
    "age: time since the newest candle closed. gaps 24 h: missing minutes in number of gaps. feed: "
    "- if none has run. prediction: candle_time of the newest prediction. All times are UTC."
)
#: With this many symbols or more, the caption counts them.
_MIN_COUNTED = 10
_TESTS_CAPTION = (
    "pairs: minutes of the last 24 hours that both predicted. points: percentage points of direction accuracy at one "
    "minute that the challenger is ahead since its test began, with a 95 % confidence sequence. next: current decision."
)
#: Columns that fold on a narrow terminal; versions, times and numbers are never split.
_FOLDED = (
    "symbol", "gaps 24 h", "feed", "newest prediction", "last error", "last error or warning", "reason", "next",
)  # fmt: skip


def print_status(url: str | None = None) -> None:
    """Print candles and feeds, ensembles, A/B tests, the last hour's runs, retrainings. Raises CandlecastUserError."""
    out = console()
    with connect(url) as connection:
        try:
            connection.execute("begin read only")
            connection.execute("set local timezone = 'UTC'")
            candles = ("symbol", "days", "newest", "age", "gaps 24 h", "feed", "prediction")
            rows = connection.execute(_CANDLES).fetchall()
            _print_rows(out, "Candles", candles, [row[:-1] for row in rows], _candles_caption(rows))
            if errors := connection.execute(_FEED_ERRORS).fetchall():
                _print_rows(out, "Recent feed errors", ("symbol", "at", "last error"), errors)
            ensembles = ("id", "symbol", "state", "models", "weight", "accuracy", "newest prediction")
            _print(out, connection, "Ensembles", ensembles, _ENSEMBLES, {"expiry": _expiry(connection)})
            tests = ("symbol", "challenger", "since", "pairs", "points", "next")
            _print(out, connection, "A/B tests", tests, _TESTS, caption=_TESTS_CAPTION)
            runs = ("symbol", "ensemble", "status", "runs", "newest", "median ms", "last error or warning")
            _print(out, connection, "Inference runs of the last hour", runs, _RUNS)
            trainings = ("symbol", "run", "status", "started", "version", "reason")
            _print(out, connection, "Newest training run of each symbol", trainings, _TRAININGS)
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
    try:
        with connection.transaction():  # a savepoint: a permission error must not affect the other tables
            rows = connection.execute(query, values).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        out.print(f"{title}: permission denied (needs candlecast_reader)")
        return
    _print_rows(out, title, names, rows, caption)


def _print_rows(
    out: Console, title: str, names: tuple[str, ...], rows: list[TupleRow], caption: str | None = None
) -> None:
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


def _candles_caption(rows: list[TupleRow]) -> str:
    if len(rows) < _MIN_COUNTED:
        return _CANDLES_CAPTION
    states = Counter(row[-1] or "none" for row in rows)
    feeds = ", ".join(f"{count} {state}" for state, count in states.most_common())
    return f"{len(rows)} symbols, {sum(row[4] != 'none' for row in rows)} with gaps; feeds: {feeds}. {_CANDLES_CAPTION}"


def _expiry(connection: psycopg.Connection[TupleRow]) -> float | None:
    """Seconds after which models expire, from the setting model_expiry; None: never."""
    try:
        with connection.transaction():
            row = connection.execute("select ml_setting('model_expiry')").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None  # this role cannot see the ensembles either
    assert row is not None
    return resolve(json.dumps({"model_expiry": row[0]}), {}).model_expiry


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "strftime") else str(value)
