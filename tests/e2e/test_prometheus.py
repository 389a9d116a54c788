"""A real Prometheus with the configuration of deploy/prometheus scrapes a real `candlecast serve`."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.alert_rules import FOLDER, RULES
from tests.support.clusters import NEWEST, ROOT, free_port
from tests.support.deployment import MINUTE
from tests.support.serving import serving

pytestmark = pytest.mark.cron
#: The unit ms is part of the metric's name, as everywhere in the project.
LINT = "ml_inference_latency_ms metric names should not contain abbreviated units"


@contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    """Run the program until the block ends or the tests are killed."""
    die_with_parent = ["setpriv", "--pdeathsig", "TERM"]
    arguments = [*die_with_parent, *command]
    with log.open("w") as output, subprocess.Popen(arguments, stdout=output, stderr=output) as process:
        try:
            yield
        finally:
            process.terminate()


def wait_until(found: Callable[[], Any], log: Path, seconds: float = 30) -> Any:
    """The first true value of `found()`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if value := found():
                return value
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.1)
    pytest.fail(f"no result within {seconds} s:\n{log.read_text()}")


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - its own servers on loopback
        return answer.read().decode()


@dataclass(frozen=True)
class Prometheus:
    """The HTTP API of a running Prometheus."""

    api: str
    log: Path

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The current samples of the expression."""
        found = json.loads(get(f"{self.api}/query?{urllib.parse.urlencode({'query': expression})}"))
        assert found["status"] == "success"
        return found["data"]["result"]

    def value(self, expression: str) -> str:
        """The value of the only sample."""
        (sample,) = self.ask(expression)
        return sample["value"][1]

    def rules(self) -> list[dict[str, Any]]:
        groups = json.loads(get(f"{self.api}/rules"))["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def wait(self, expression: str) -> None:
        """Wait until the expression has samples."""
        wait_until(lambda: self.ask(expression), self.log)


@pytest.fixture(scope="module")
def service(primary):
    """The address of `candlecast serve`, connected to the primary as ann."""
    with primary.connect() as db:
        (newest,) = db.execute(NEWEST).fetchone()
        db.execute("call run_inference(%s)", (newest - 10 * MINUTE,))  # for the latency metrics
    with serving(f"postgresql://ann:secret@127.0.0.1:{primary.port}/candlecast") as running:
        yield running.url.removeprefix("http://")


@pytest.fixture(scope="module")
def prometheus(service, tmp_path_factory):
    """A Prometheus that scrapes the service, with all rules."""
    program = shutil.which("prometheus")
    if not program:
        pytest.skip("prometheus is not installed: scripts/packages.sh --tests, which make test runs, could not get it")
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copytree(FOLDER, folder / "etc")
    settings = folder / "etc" / "prometheus.yml"
    # The target is the test's service. All intervals are one second, so that the test is fast.
    text = settings.read_text().replace("127.0.0.1:8080", service)
    settings.write_text(text.replace("_interval: 5s", "_interval: 1s").replace("timeout: 4s", "timeout: 1s"))
    rules = folder / "etc" / "candlecast.rules.yml"
    rules.write_text(rules.read_text().replace("interval: 1m", "interval: 1s"))
    address, log = f"127.0.0.1:{free_port()}", folder / "log"
    options = [f"--config.file={settings}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"]

    server = Prometheus(f"http://{address}/api/v1", log)
    with running([program, *options], log):
        server.wait('up{job="candlecast"} == 1 and on () ml_health')
        yield server


def test_promtool_accepts_the_metrics_of_the_service(service):
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed: scripts/packages.sh --tests, which make test runs, could not get it")
    metrics = get(f"http://{service}/metrics")
    done = subprocess.run([promtool, "check", "metrics"], input=metrics, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines() == [LINT]
    broken = subprocess.run(
        [promtool, "check", "metrics"], input=metrics + "ml health 1\n", capture_output=True, text=True, check=False
    )
    assert "error while linting" in broken.stderr


def test_prometheus_stores_the_metrics_of_the_service(prometheus, primary):
    assert prometheus.value('count by (symbol) (ml_health{symbol="DEMO"})') == "1"
    ((active,),) = primary.ask("select id::text from active_ensembles where symbol = 'DEMO' and is_active")
    assert prometheus.value('ml_model_version_current{symbol="DEMO"}') == active
    assert 0 <= float(prometheus.value('ml_candle_age_seconds{symbol="DEMO"}')) < 180
    assert prometheus.value("ml_database_up") == "1"


def test_every_rule_can_be_evaluated(prometheus):
    def evaluated() -> list[dict[str, Any]]:
        rules = prometheus.rules()
        return rules if all(rule["health"] != "unknown" for rule in rules) else []

    rules = wait_until(evaluated, prometheus.log)
    assert {rule["name"] for rule in rules} == {rule.get("alert") or rule["record"] for rule in RULES}
    assert [rule for rule in rules if rule["health"] != "ok"] == []


def test_an_alert_fires_and_resolves_by_itself(prometheus, primary):
    alert = 'ALERTS{alertname="CandlecastInferenceOff"}'
    switch = (
        "with changed as (update ml_settings set value = %s where name = 'enabled' returning 1) select * from changed"
    )
    assert prometheus.ask(alert) == []
    primary.ask(switch, "false")
    try:
        prometheus.wait(alert)
    finally:
        primary.ask(switch, None)
    prometheus.wait(f"absent({alert})")


def dashboard() -> list[str]:
    """The expressions of the Grafana dashboard for Prometheus."""
    found = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "candlecast-prometheus.json").read_text())
    return [target["expr"] for panel in found["panels"] for target in panel.get("targets", ())]


def test_the_expressions_of_the_dashboard_have_samples(prometheus):
    answered = [expression for expression in dashboard() if prometheus.ask(expression.replace("$symbol", "DEMO"))]
    assert len(answered) >= 15, answered  # no samples: feed, alerts, drift and consistency


def test_every_metric_of_rules_and_dashboard_exists(prometheus, primary):
    """A metric without samples must be named in the SQL of metrics()."""
    source = " ".join(text for (text,) in primary.ask("select prosrc from pg_proc where proname ~ 'metrics$'"))
    expressions = [*(rule["expr"] for rule in RULES), *dashboard()]
    names = {name for expression in expressions for name in re.findall(r"\bml_\w+", expression)}
    assert len(names) >= 20
    for name in names:
        assert prometheus.ask(name) or f"'{name}'" in source, name
