"""deploy/grafana: the dashboard format, as far as it can be checked without Grafana, and the PromQL syntax.

tests/db/docs/test_grafana.py runs the SQL.
"""

import json
import re
import shutil
import subprocess
from itertools import combinations
from typing import Any

import pytest
import yaml

from candlecast.core.freshness import LATE_SECONDS, MISSING_SECONDS
from tests.support.paths import ROOT

FOLDER = ROOT / "deploy" / "grafana"
FILES = sorted((FOLDER / "dashboards").glob("*.json"))
DASHBOARDS = [json.loads(path.read_text()) for path in FILES]
#: Panel types of every Grafana without plugins.
PANELS = {"row", "stat", "table", "timeseries"}

of_each = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=[path.stem for path in FILES])


def drawn(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels with queries."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def test_there_are_two_dashboards_with_unique_names():
    assert [dashboard["templating"]["list"][0]["query"] for dashboard in DASHBOARDS] == [
        "grafana-postgresql-datasource",
        "prometheus",
    ]
    for key in ("uid", "title"):
        assert len({dashboard[key] for dashboard in DASHBOARDS}) == 2
    assert all(re.fullmatch(r"[a-z-]{1,40}", dashboard["uid"]) for dashboard in DASHBOARDS)


@of_each
def test_a_dashboard_has_the_required_keys(dashboard):
    assert dashboard["schemaVersion"] >= 38
    assert "id" not in dashboard, "an id belongs to the database of one Grafana"
    assert set(dashboard["time"]) == {"from", "to"}
    assert dashboard["timezone"] == "utc"
    variables = [variable["name"] for variable in dashboard["templating"]["list"]]
    assert variables == ["datasource", "symbol"]
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(dashboard["panels"])))
    assert used == set(variables)


def test_ages_turn_orange_when_late_and_red_when_missing():
    colors = {"green": None, "orange": LATE_SECONDS, "red": MISSING_SECONDS}
    late = []
    for panel in (panel for dashboard in DASHBOARDS for panel in drawn(dashboard)):
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        if {step["value"] for step in steps} & {LATE_SECONDS, MISSING_SECONDS}:
            assert {step["color"]: step["value"] for step in steps} == colors, panel["title"]
            late.append(panel["title"])
    assert len(late) == 3, late


@of_each
def test_each_panel_has_a_title_and_queries_its_data_source(dashboard):
    (source,) = {json.dumps(panel["datasource"]) for panel in drawn(dashboard)}
    assert json.loads(source) == {"type": dashboard["templating"]["list"][0]["query"], "uid": "${datasource}"}
    query = {"prometheus": "expr"}.get(json.loads(source)["type"], "rawSql")
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert len({panel["title"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in drawn(dashboard):
        assert panel["title"]
        assert panel["type"] in PANELS
        assert {"defaults", "overrides"} == set(panel["fieldConfig"])
        assert panel["targets"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            assert target[query]


@of_each
def test_panels_do_not_overlap_and_fit_the_grid(dashboard):
    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        at = panel["gridPos"]
        return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}

    for one, other in combinations(dashboard["panels"], 2):
        assert not cells(one) & cells(other), (one["title"], other["title"])
    assert all(0 <= x < 24 for panel in dashboard["panels"] for x, _ in cells(panel))


@of_each
def test_overrides_refer_to_existing_columns(dashboard):
    for panel in drawn(dashboard):
        queries = " ".join(str(target.get("rawSql")) for target in panel["targets"])
        for override in panel["fieldConfig"]["overrides"]:
            assert override["matcher"]["id"] == "byName"
            assert re.search(rf"\b{override['matcher']['options']}\b", queries)


def test_promtool_parses_every_expression(tmp_path):
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is missing: scripts/packages.sh --tests, which make test runs, could not get prometheus")
    (dashboard,) = [found for found in DASHBOARDS if found["uid"] == "candlecast-metrics"]
    expressions = [target["expr"] for panel in drawn(dashboard) for target in panel["targets"]]
    assert len(expressions) >= 20

    def check(expressions: list[str]) -> subprocess.CompletedProcess[str]:
        rules = [
            {"record": f"panel:expression:{number}", "expr": text.replace("$symbol", "BTCUSDT")}
            for number, text in enumerate(expressions)
        ]
        (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
        command = [promtool, "check", "rules", str(tmp_path / "rules.yml")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = check(expressions)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(expressions)} rules found" in done.stdout
    assert check([expressions[0] + ")"]).returncode, "an invalid expression is reported"


def test_provisioned_data_sources_match_the_dashboards():
    (path,) = (FOLDER / "provisioning" / "datasources").iterdir()
    sources = yaml.safe_load(path.read_text())["datasources"]
    types = {dashboard["templating"]["list"][0]["query"] for dashboard in DASHBOARDS}
    assert {source["type"] for source in sources} == types
    for source in sources:
        assert "password" not in source
        assert str(source.get("secureJsonData", {}).get("password", "$")).startswith("$"), "no stored password"
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    assert sources[0]["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]


def test_the_provider_reads_the_documented_folder():
    (path,) = (FOLDER / "provisioning" / "dashboards").iterdir()
    (provider,) = yaml.safe_load(path.read_text())["providers"]
    assert provider["options"]["path"] in (ROOT / "docs/how-to/operate.md").read_text()
