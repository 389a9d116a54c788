"""`candlecast status`: what is there, and nothing where nothing is."""

import pytest
from live import MINUTE, NEWEST, create


def test_an_empty_database_says_so(database_url, run_cli):
    done = run_cli(database_url, "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Candles: none",
        "Ensembles: none",
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
