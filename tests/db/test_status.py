"""`candlecast status`: what is there, and nothing where nothing is."""

import pytest
from live import MINUTE, NEWEST, create


def test_an_empty_database_says_so(database_url, run_cli):
    done = run_cli(database_url, "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Candles: none",
        "Ensembles: none",
        "A/B tests: none",
        "Inference runs of the last hour: none",
        "The newest retraining of each symbol: none",
    ]


def test_candles_ensembles_and_runs_are_shown(live, live_url, run_cli):
    live.execute("call run_inference(%s)", (NEWEST - MINUTE,))
    live.execute("delete from candles_1m where open_time = %s", (NEWEST - 9 * MINUTE,))
    live.execute("call run_inference(%s)", (NEWEST,))
    done = run_cli(live_url, "status")
    assert done.returncode == 0, done.stderr
    for text in ("DEMO", "2026-05-02 11:59", "active", "predicted", "failed", "2026-05-02 11:50:00+00"):
        assert text in done.stdout


def test_the_newest_retraining_and_its_reason_are_shown(db, database_url, run_cli):
    for reason in ("the older one", "the database went away"):
        db.execute(
            "insert into training_runs (symbol, status, finished_at, host, pid, reason)"
            " values ('DEMO', 'failed', now(), 'here', 1, %s)",
            (reason,),
        )
    done = run_cli(database_url, "status")
    assert "the database went away" in done.stdout
    assert "the older one" not in done.stdout


@pytest.mark.parametrize("text", ["[/x] [red]gone", "a:heart:b", "\x1b[2Jgone"])
def test_an_error_is_shown_as_it_is(db, database_url, run_cli, text):
    db.execute(
        "insert into inference_runs (symbol, candle_time, status, error) values (%s, %s, 'failed', %s)",
        ("X:heart:Y", NEWEST, text),
    )
    done = run_cli(database_url, "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert text.replace("\x1b", "\\x1b") in done.stdout
    assert "X:heart:Y" in done.stdout
    assert "\x1b" not in done.stdout


def test_80_columns_tear_no_version_and_no_time_apart(live, live_url, artifacts, run_cli):
    create(live, artifacts, 0.25, is_test=True)
    live.execute("call run_inference(%s)", (NEWEST,))
    done = run_cli(live_url, "status", env={"COLUMNS": "80"})
    assert max(map(len, done.stdout.splitlines())) <= 80
    for mamba, lgbm in [tuple(folder.name for folder in artifacts)] * 2:
        assert done.stdout.count(f"Mamba {mamba} ") == 2
        assert done.stdout.count(f"LightGBM {lgbm} ") == 2
    assert "0.7500" in done.stdout
    assert "2026-05-02 11:59" in done.stdout


def test_ab_tests_are_shown_with_their_figures_and_what_comes_next(live, live_url, artifacts, run_cli):
    old = create(live, artifacts, 0.0, is_test=True)
    live.execute("update active_ensembles set changed_at = %s", (NEWEST - 60 * MINUTE,))
    for minutes in range(20, -1, -1):
        live.execute("call run_inference(%s)", (NEWEST - minutes * MINUTE,))
    new = create(live, artifacts, 0.9, is_test=True)
    wide, narrow = shown_tests(run_cli, live_url, "400"), shown_tests(run_cli, live_url, "80")
    begun, fresh = live.execute("select * from ab_status order by challenger_id").fetchall()
    assert (begun.challenger_id, begun.minutes, begun.outlook) == (old, 20, "retire"), "it ran for over 30 days"
    assert (fresh.challenger_id, fresh.minutes, fresh.outlook) == (new, 0, "keep")
    for words in (
        f"{old} test ",
        f"{new} test ",
        " against 1 ",
        f"{begun.since:%Y-%m-%d %H:%M}",
        f"{100 * begun.difference:+.2f}",
        f"[{100 * begun.low:+.2f}, {100 * begun.high:+.2f}]",
        f"{begun.next_evaluation:%Y-%m-%d} 00:10: retires",
        f"{begun.next_evaluation:%Y-%m-%d} 00:10: goes on",
        begun.why,
        fresh.why,
    ):
        assert words in wide, words
        assert words in narrow or len(words) > 20, words
    live.execute("update active_ensembles set is_test = false, is_shadow = true where id = %s", (old,))
    live.execute("update ml_settings set value = '999' where name = 'ab_max_days'")
    live.execute("update active_ensembles set changed_at = %s where id = %s", (NEWEST - 60 * MINUTE, new))
    live.execute("call run_inference(%s)", (NEWEST - 5 * MINUTE,))
    one_each = shown_tests(run_cli, live_url, "120")
    assert f"{old} shadow" in one_each
    assert one_each.count("where undecided") == 1, "a shadow is judged once"


def shown_tests(run_cli, url: str, columns: str) -> str:
    """The table of A/B tests; the whole output fits the columns."""
    done = run_cli(url, "status", env={"COLUMNS": columns})
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= int(columns)
    assert done.stdout.count("DEMO") >= 4, "candles, ensembles, tests, runs"
    return done.stdout.split("A/B tests ")[1].split("Inference runs")[0]
