"""docs/operations.md, upgrading: a session that is open while migrations run predicts on."""

from tests.support.databases import alembic
from tests.support.deployment import NEWEST


def test_an_open_session_predicts_on_through_migrations(live, live_url):
    """All that leave predictions in place. Where it cannot, CHANGELOG.md says that sessions must connect again."""
    forecast = ("select * from predict('DEMO', %s)", (NEWEST,))
    assert alembic(live_url, "downgrade", "0005").returncode == 0
    before = live.execute(*forecast).fetchall()
    upgraded = alembic(live_url, "upgrade", "head")
    assert upgraded.returncode == 0, upgraded.stderr
    assert live.execute(*forecast).fetchall() == before
    assert len(live.execute("select * from predict_now('DEMO')").fetchall()) == 5
    live.execute("call run_inference(%s)", (NEWEST,))
    assert live.execute("select status from inference_runs").fetchall() == [("already",)]
