"""deploy/prometheus: promtool accepts the files; each alert is tested, and has a severity and a runbook."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from candlecast.core.freshness import LATE_SECONDS, MISSING_SECONDS
from tests.support.alert_rules import ALERTS, FOLDER, RECORDS, RULES
from tests.support.paths import ROOT

FILES = sorted(FOLDER.glob("*.test.yml"))
TESTS = [test for path in FILES for test in yaml.safe_load(path.read_text())["tests"]]


def promtool(*arguments: str, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    found = shutil.which("promtool")
    if not found:
        pytest.skip("promtool is missing: scripts/packages.sh --tests, which make test runs, could not get prometheus")
    return subprocess.run([found, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_the_configuration_and_its_rules_are_valid(tmp_path):
    done = promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout
    (tmp_path / "prometheus.yml").write_text((FOLDER / "prometheus.yml").read_text())
    text = (FOLDER / "candlecast.rules.yml").read_text()
    (tmp_path / "candlecast.rules.yml").write_text(text.replace("up{job=", "up{job", 1))
    assert promtool("check", "config", "prometheus.yml", folder=tmp_path).returncode, "an invalid rule is reported"


def test_alerts_fire_and_resolve_as_the_rule_tests_expect():
    done = promtool("test", "rules", *(path.name for path in FILES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_is_tested_before_while_and_after_it_fires(name):
    complete = []
    for test in TESTS:
        entries = [entry for entry in test["alert_rule_test"] if entry["alertname"] == name]
        fires = ["exp_alerts" in entry for entry in entries]
        complete.append(any(fires) and not fires[0] and not fires[-1])
        times = [seconds(entry["eval_time"]) for entry in entries]
        assert times == sorted(times)
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


def limit(record: str) -> int:
    """The constant of a recording rule."""
    return int(re.fullmatch(r"vector\((\d+)\)", RECORDS[record])[1])


def test_late_and_missing_limits_are_defined_once():
    limits = {"candlecast:late_seconds": LATE_SECONDS, "candlecast:missing_seconds": MISSING_SECONDS}
    assert {record: limit(record) for record in limits} == limits
    for rule in RULES:
        if rule.get("record") not in limits:
            expr = re.sub(r"\[\w+\]", "", rule["expr"])
            assert not re.search(rf"(?<![\d.])({LATE_SECONDS}|{MISSING_SECONDS})\b", expr), rule


def test_the_grace_period_after_a_recovery_is_late_seconds():
    """For the database it is two scrapes longer."""
    windows = {window for rule in RULES for window in re.findall(r"\[(\d+s)\]", rule["expr"])}
    assert {seconds(window) for window in windows} == {LATE_SECONDS, LATE_SECONDS + 10}


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
def test_alerts_fire_within_ninety_seconds(name):
    """The limit of the condition, plus the scrape and the evaluation interval, plus `for`."""
    rule = ALERTS[name]
    settings = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["global"]
    intervals = seconds(settings["scrape_interval"]) + seconds(settings["evaluation_interval"])
    late = [limit(name) for name in re.findall(r"^\s*\S*age_seconds\S* >= scalar\((\S+)\)", rule["expr"])]
    silent = 60 if "silent" in rule["expr"] else 0  # candle_status reports silent after a minute
    assert min(late, default=silent) + intervals + seconds(rule.get("for", "0s")) <= 90
