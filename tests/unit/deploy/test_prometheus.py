"""deploy/prometheus: promtool takes what is there, each alert is tested both ways, and leads to something to do."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.paths import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
RULES = yaml.safe_load((FOLDER / "candlecast.rules.yml").read_text())
ALL = [rule for group in RULES["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in ALL if "alert" in rule}
FILES = sorted(FOLDER.glob("*.test.yml"))
TESTS = [test for path in FILES for test in yaml.safe_load(path.read_text())["tests"]]


def promtool(*arguments: str, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    found = shutil.which("promtool")
    if not found:
        pytest.skip("promtool is not here; scripts/packages.sh --tests, that make test runs, could not get prometheus")
    return subprocess.run([found, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_the_configuration_and_its_rules_are_valid(tmp_path):
    done = promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALL)} rules found" in done.stdout
    (tmp_path / "prometheus.yml").write_text((FOLDER / "prometheus.yml").read_text())
    text = (FOLDER / "candlecast.rules.yml").read_text()
    (tmp_path / "candlecast.rules.yml").write_text(text.replace("up{job=", "up{job", 1))
    assert promtool("check", "config", "prometheus.yml", folder=tmp_path).returncode, "it looks at what is written"


def test_each_alert_fires_when_it_must_and_not_before_and_ends():
    done = promtool("test", "rules", *(path.name for path in FILES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_is_tested_before_while_and_after_it_fires(name):
    complete = []
    for test in TESTS:
        asked = [entry for entry in test["alert_rule_test"] if entry["alertname"] == name]
        fires = ["exp_alerts" in entry for entry in asked]
        complete.append(any(fires) and not fires[0] and not fires[-1])
        assert [seconds(entry["eval_time"]) for entry in asked] == sorted(seconds(e["eval_time"]) for e in asked)
    assert any(complete)


def seconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_has_severity_summary_and_action(name):
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    document, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert f'<a id="{anchor}">' in (ROOT / document).read_text()


WITHIN_NINETY_SECONDS = (
    "CandlecastServiceDown",
    "CandlecastDatabaseGone",
    "CandlecastInferenceOff",
    "CandlecastCandleLate",
    "CandlecastRunLate",
    "CandlecastPredictionLate",
    "CandlecastFeedSilent",
)


@pytest.mark.parametrize("name", WITHIN_NINETY_SECONDS)
def test_what_stops_is_told_within_ninety_seconds(name):
    """By its condition, two intervals, and how long it must last."""
    rule = ALERTS[name]
    settings = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["global"]
    intervals = seconds(settings["scrape_interval"]) + seconds(settings["evaluation_interval"])
    late = [int(number) for number in re.findall(r"age_seconds\S* >= (\d+)", rule["expr"])]
    silent = 60 if "silent" in rule["expr"] else 0  # candle_status says so after a minute
    assert min(late, default=silent) + intervals + seconds(rule.get("for", "0s")) <= 90
