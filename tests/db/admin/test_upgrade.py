"""docs/how-to/operate.md, Upgrade: an open session continues to predict while migrations run."""

from tests.support.databases import alembic
from tests.support.deployment import NEWEST


def test_an_open_session_predicts_during_migrations(live, live_url):
    """For migrations that keep predictions. Otherwise CHANGELOG.md says that sessions must reconnect."""
    forecast = ("select * from predict('DEMO', %s)", (NEWEST,))
    assert alembic(live_url, "downgrade", "0005").returncode == 0
    before = live.execute(*forecast).fetchall()
    upgraded = alembic(live_url, "upgrade", "head")
    assert upgraded.returncode == 0, upgraded.stderr
    assert live.execute(*forecast).fetchall() == before
    assert len(live.execute("select * from predict_now('DEMO')").fetchall()) == 5
    live.execute("call run_inference(%s)", (NEWEST,))
    assert live.execute("select status from inference_runs").fetchall() == [("already",)]
