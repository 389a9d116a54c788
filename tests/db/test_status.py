"""`candlecast status`: what is there, and nothing where nothing is."""

from live import MINUTE, NEWEST


def test_an_empty_database_says_so(database_url, run_cli):
    done = run_cli(database_url, "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Candles: none",
        "Ensembles: none",
        "Inference runs of the last hour: none",
    ]


def test_candles_ensembles_and_runs_are_shown(live, live_url, run_cli):
    live.execute("call run_inference(%s)", (NEWEST - MINUTE,))
    live.execute("delete from candles_1m where open_time = %s", (NEWEST - 9 * MINUTE,))
    live.execute("call run_inference(%s)", (NEWEST,))
    done = run_cli(live_url, "status")
    assert done.returncode == 0, done.stderr
    for text in ("DEMO", "2026-05-02 11:59", "active", "predicted", "failed", "2026-05-02 11:50:00+00"):
        assert text in done.stdout
