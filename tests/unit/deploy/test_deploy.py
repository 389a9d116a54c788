"""deploy/: its files are valid, retrain at 03:00 UTC, restart the feed, and use existing commands and options."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from candlecast.cli.app import app
from tests.support.paths import ROOT

DEPLOY = ROOT / "deploy"
#: Where `make up` installs the command (scripts/common.sh).
INSTALLED = "/var/lib/candlecast/candlecast/venv/bin/candlecast"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def options_of(name: str) -> set[str]:
    return {option for parameter in get_command(app).commands[name].params for option in parameter.opts}


def assert_is_retrain(words: list[str]) -> None:
    """The command is `retrain` with existing options and their values."""
    assert words[0] == "retrain"
    assert words[1::2]
    assert set(words[1::2]) <= options_of("retrain")
    assert not any(word.startswith("-") for word in words[2::2])
    assert "--models-dir" in words


def assert_is_feed(words: list[str]) -> None:
    """The command is `feed` with symbols and no other options."""
    assert words[0] == "feed"
    assert set(words[1::2]) == {"--symbol"} <= options_of("feed")
    assert all(re.fullmatch(r"[A-Z0-9]{5,20}", word) for word in words[2::2])
    assert words[2::2]


def unit(name: str) -> dict[str, list[str]]:
    """Values by key of a systemd unit. Keys may repeat."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd" / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_deploy_uses_the_path_of_the_installed_command():
    script = "CLUSTER=candlecast; source scripts/common.sh; echo $venv/bin/candlecast"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == INSTALLED


@pytest.fixture
def systemd_analyze():
    found = shutil.which("systemd-analyze")
    if not found:
        pytest.skip("systemd-analyze is missing: scripts/packages.sh --tests, which make test runs, could not get it")
    return found


def test_systemd_units_are_valid(systemd_analyze, tmp_path):
    installed = tmp_path / "candlecast"  # systemd-analyze requires an existing command
    installed.touch(mode=0o755)
    for path in (DEPLOY / "systemd").iterdir():
        (tmp_path / path.name).write_text(path.read_text().replace(INSTALLED, str(installed)))
    units = [str(path) for path in tmp_path.glob("candlecast-*.*")]
    assert len(units) == 4

    def verify() -> subprocess.CompletedProcess[str]:
        return subprocess.run([systemd_analyze, "verify", *units], capture_output=True, text=True, check=False)

    done = verify()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    timer = tmp_path / "candlecast-retrain.timer"
    timer.write_text(timer.read_text().replace("03:00:00 UTC", "27:00:00 UTC"))
    assert "27:00:00" in verify().stderr, "an invalid time is reported"


def test_the_timer_fires_daily_at_three_utc(systemd_analyze):
    timer = unit("candlecast-retrain.timer")
    assert timer["OnCalendar"] == ["*-*-* 03:00:00 UTC"]
    assert timer["Persistent"] == ["true"]
    command = [
        systemd_analyze,
        "calendar",
        "--iterations=2",
        "--base-time=2026-06-01 03:00:00 UTC",
        *timer["OnCalendar"],
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"TZ": "UTC", "LC_ALL": "C"})
    assert re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", done.stdout)[-2:] == [
        "2026-06-02 03:00:00 UTC",
        "2026-06-03 03:00:00 UTC",
    ]


def test_the_service_runs_retrain_in_a_writable_folder():
    service = unit("candlecast-retrain.service")
    words = command_of(service)
    assert_is_retrain(words)
    state = f"/var/lib/{service['StateDirectory'][0]}"
    assert words[words.index("--models-dir") + 1].startswith(f"{state}/")
    assert service["WorkingDirectory"] == [state]
    from candlecast.trainer.retrain import BUSY

    assert service["SuccessExitStatus"] == [str(BUSY)]


def command_of(service: dict[str, list[str]]) -> list[str]:
    """The arguments of the unit's command. Also checks that the unit is sandboxed."""
    for setting in ("ProtectSystem=strict", "NoNewPrivileges=yes", "ProtectHome=yes", "CapabilityBoundingSet="):
        key, _, value = setting.partition("=")
        assert service[key] == [value]
    (command,) = service["ExecStart"]
    words = shlex.split(command)
    assert words[0] == INSTALLED
    return words[1:]


def test_the_web_service_runs_with_few_privileges():
    service = unit("candlecast-serve.service")
    words = command_of(service)
    assert words[0] == "serve"
    assert set(words[1::2]) <= options_of("serve")
    assert service["Restart"] == ["always"]
    assert "StateDirectory" not in service, "it writes nothing"
    assert service["DynamicUser"] == ["yes"]


def test_the_feed_service_always_restarts():
    service = unit("candlecast-feed.service")
    assert_is_feed(command_of(service))
    assert service["Restart"] == ["always"]
    assert service["StartLimitIntervalSec"] == ["0"], "the number of starts is not limited"
    assert 1 <= int(service["RestartSec"][0]) <= 30
    assert service["User"] != unit("candlecast-retrain.service")["User"], "a feeder needs no right to publish models"
    assert service["WantedBy"] == ["multi-user.target"]
    assert "KillSignal" not in service, "SIGTERM stops it cleanly"
    from candlecast.candles.feed.loop import STOP_TIMEOUT_SECONDS
    from candlecast.core.errors import AnotherFeed

    assert int(service["TimeoutStopSec"][0]) > STOP_TIMEOUT_SECONDS
    assert service["SuccessExitStatus"] == [str(AnotherFeed.exit_status)]


def test_services_have_equal_protection_except_for_write_paths():
    """Both have the same sandbox. The feed writes no files, so it has no folder and a stricter umask."""
    own = {"Description", "User", "EnvironmentFile", "ExecStart", "Type", "TimeoutStopSec", "MemoryMax", "UMask"}
    retrain, feed = (unit(f"candlecast-{name}.service") for name in ("retrain", "feed"))
    only_retrain = {"StateDirectory", "WorkingDirectory", "TimeoutStartSec", "Nice", "IOSchedulingClass"}
    only_feed = {"StartLimitIntervalSec", "Restart", "RestartSec", "WantedBy"}
    assert {key: value for key, value in retrain.items() if key not in own | only_retrain} == {
        key: value for key, value in feed.items() if key not in own | only_feed
    }
    assert int(feed["UMask"][0], 8) & int(retrain["UMask"][0], 8) == int(retrain["UMask"][0], 8)


def crontab() -> tuple[dict[str, str], list[list[str]]]:
    """The variables and the entries (six fields and a command) of deploy/cron."""
    lines = (DEPLOY / "cron" / "candlecast-retrain").read_text().splitlines()
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    variables = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
    return variables, [line.split(None, 6) for line in lines if not re.match(r"\w+=", line)]


def test_the_crontab_runs_retrain_daily_at_three_utc(tmp_path):
    variables, entries = crontab()
    assert variables["CRON_TZ"] == "UTC"
    ((*times, user, command),) = entries
    assert times == ["0", "3", "*", "*", "*"]
    assert user == unit("candlecast-retrain.service")["User"][0]
    assert "%" not in command, "cron treats % as a newline"
    # Run it as cron does, with a fake candlecast that prints its arguments.
    (tmp_path / "candlecast").write_text('#!/bin/sh\nprintf "%s\\n" "$DATABASE_URL" "$@"\n')
    (tmp_path / "candlecast").chmod(0o755)
    (tmp_path / "retrain.env").write_text("DATABASE_URL='postgresql:///candlecast?host=/run/x&port=1'\n")
    command = command.replace(INSTALLED, str(tmp_path / "candlecast"))
    command = command.replace("/etc/candlecast/retrain.env", str(tmp_path / "retrain.env"))
    done = subprocess.run([variables["SHELL"], "-c", command], capture_output=True, text=True, check=True)
    url, *words = done.stdout.splitlines()
    assert url == "postgresql:///candlecast?host=/run/x&port=1"
    assert_is_retrain(words)


def documents(name: str = "retrain-cronjob") -> list[dict]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / f"{name}.yaml").read_text()))


@pytest.mark.parametrize(("name", "key"), [("retrain-cronjob", "schedule"), ("feed-deployment", "strategy")])
def test_kubernetes_manifests_are_valid(name, key):
    import kubernetes_validate

    for document in documents(name):
        kubernetes_validate.validate(document, "1.37", strict=True)
    broken = documents(name)[0]
    broken["spec"][f"{key}d"] = broken["spec"].pop(key)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.37", strict=True)


def test_the_deployment_never_runs_two_pods():
    (deployment,) = documents("feed-deployment")
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    template = deployment["spec"]["template"]
    assert deployment["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    other = documents()[0]["spec"]["jobTemplate"]["spec"]["template"]
    assert template["metadata"]["labels"] != other["metadata"]["labels"], "the selector matches no other pod"
    pod = template["spec"]
    (container,) = pod["containers"]
    assert container["image"] == f"candlecast:{VERSION}"
    assert_is_feed(container["args"])
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == other["spec"]["containers"][0]["securityContext"]
    assert container["env"][0]["name"] == "DATABASE_URL"
    assert pod["terminationGracePeriodSeconds"] >= 15
    assert f"USER {pod['securityContext']['runAsUser']}" in containerfile()


def test_the_cronjob_runs_daily_at_three_utc_without_privileges():
    job, claim = documents()
    assert (job["spec"]["schedule"], job["spec"]["timeZone"]) == ("0 3 * * *", "Etc/UTC")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == f"candlecast:{VERSION}"
    assert_is_retrain(container["args"])
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert mounts[container["args"][container["args"].index("--models-dir") + 1]] == "models"
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert f"USER {pod['securityContext']['runAsUser']}" in containerfile()


def containerfile() -> list[str]:
    """The instructions of deploy/Containerfile, one per line."""
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", "")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image_has_the_tag_of_the_manifests():
    assert f"-t candlecast:{VERSION} ." in (DEPLOY / "Containerfile").read_text()
    assert containerfile()[0] == "FROM docker.io/library/debian:bookworm-slim"
    assert 'ENTRYPOINT ["candlecast"]' in containerfile()
    assert any(line.startswith(f"ENV PATH={Path(INSTALLED).parent}:") for line in containerfile())


def test_the_image_installs_with_the_scripts_of_make_up():
    (run,) = [line.removeprefix("RUN ") for line in containerfile() if line.startswith("RUN ")]
    steps = [shlex.split(step) for step in run.split("&&")]
    assert steps[:2] == [["scripts/packages.sh", "--trainer"], ["scripts/environment.sh", "trainer"]]
    up = (ROOT / "scripts/up.sh").read_text()
    assert "\n  scripts/packages.sh\n" in up
    assert "\n  scripts/environment.sh trainer\n" in up
    # The first step changes nothing if all packages are installed.
    done = subprocess.run(steps[0], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "PostgreSQL" not in done.stdout


def test_the_image_copies_all_files_of_the_installation(tmp_path):
    """Builds a wheel from the copied files alone, as scripts/environment.sh does."""
    for line in containerfile():
        if line.startswith("COPY "):
            *sources, target = line.split()[1:]
            for source in sources:
                assert (ROOT / source).exists(), source
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / source, tmp_path / target)
    needed = re.search(r"^sources=\((.*)\)$", (ROOT / "scripts/environment.sh").read_text(), re.MULTILINE)[1]
    assert all((tmp_path / source).exists() for source in needed.split())
    options = ("--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(tmp_path / "wheels"))
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(tmp_path)], check=True, capture_output=True)
    (wheel,) = (tmp_path / "wheels").iterdir()
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"candlecast"}
    parts = [(ROOT / "candlecast", "candlecast"), (ROOT / "trainer", "candlecast/trainer")]
    modules = {f"{name}/{path.relative_to(part)}" for part, name in parts for path in part.rglob("*.py")}
    assert modules <= set(names), "pyproject.toml misses a package"
    page = {str(path.relative_to(ROOT)) for path in (ROOT / "candlecast/web/static").rglob("*") if path.is_file()}
    assert page <= set(names), "pyproject.toml misses a file of the page"
    assert {f"candlecast/web/static/vendor/lightweight-charts/{name}" for name in ("LICENSE", "NOTICE")} <= set(names)
