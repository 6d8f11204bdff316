"""What a deploy finds in this folder: the functions, as the Firebase CLI asks for them, against main.py."""

import importlib
import json
import os
import re
import subprocess
import sys
import time
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from firebase_functions.private import serving
from functions_framework._http.gunicorn import GunicornApplication
from pydantic import ValidationError

from functions.core.config.runtime import RuntimeConfig
from functions.core.refresh.worker_shards import WORKERS_MAX
from functions.core.rollouts.flags import Flag
from functions.core.shared.time_limits import CALL_TIMEOUT, CRON_MINUTES, FUNCTION_TIMEOUT
from functions.deploy import params
from functions.deploy.options import INSTANCES_MAX
from functions.deploy.shop import params as shop
from localcloud.serving import HOST, free_port, unhurried
from localcloud.up import USUAL_PORTS
from scripts.contents import declared
from scripts.ecolane_cloud import deploy_params
from scripts.schedule_plan import SCALABLE

ROOT = Path(__file__).parents[2]
DISCOVERY_SECONDS_MAX = 10.0
"""As long as the Firebase CLI waits."""

SHOP_SECRETS = {each.name for each in vars(shop).values() if isinstance(each, shop.ShopSecret)}
"""Secrets of functions that a deploy can leave out."""

Row = tuple[str, tuple[str, ...]]
"""A function's trigger (`callable`, `https` or its schedule) and its secrets."""


@cache
def discovered() -> dict[str, Any]:
    """Return the manifest, from the command that the Firebase CLI runs for it."""
    port = free_port()
    environment = {**os.environ, "ADMIN_PORT": str(port), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, serving.__file__]
    quiet = subprocess.DEVNULL
    with (
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet) as server,  # noqa: S603 (ours)
        httpx.Client(base_url=f"http://{HOST}:{port}", timeout=unhurried(DISCOVERY_SECONDS_MAX)) as http,
    ):
        try:
            began = time.monotonic()
            while time.monotonic() - began < unhurried(DISCOVERY_SECONDS_MAX):
                try:
                    found: dict[str, Any] = yaml.safe_load(http.get("/__/functions.yaml").raise_for_status().text)
                except httpx.ConnectError:
                    time.sleep(0.05)
                else:
                    return found
        finally:
            server.terminate()
    raise TimeoutError("discovery takes longer than the Firebase CLI waits")


def endpoints() -> dict[str, dict[str, Any]]:
    """Return the manifest's functions by name."""
    found: dict[str, dict[str, Any]] = discovered()["endpoints"]
    return found


def row(endpoint: dict[str, Any]) -> Row:
    """Return what main.py says about a function."""
    schedule = endpoint.get("scheduleTrigger", {}).get("schedule")
    trigger = schedule or ("callable" if "callableTrigger" in endpoint else "https")
    return trigger, tuple(sorted(secret["key"] for secret in endpoint["secretEnvironmentVariables"]))


def test_what_is_deployed_is_what_main_declares() -> None:
    """Names, triggers, schedules and secrets; the table of docs/deploy.md is made from the same."""
    listed = {each.name: (each.trigger, tuple(sorted(each.secrets))) for each in declared()}
    assert {name: row(endpoint) for name, endpoint in endpoints().items()} == listed


def test_a_function_is_deployed_under_its_own_name() -> None:
    """The name in the URL is the name in main.py."""
    for name, endpoint in endpoints().items():
        assert endpoint["entryPoint"] == name


def test_schedules_are_in_unix_cron() -> None:
    """Only then does Scheduler send the schedule's own time, by which a repeated tick is known."""
    schedules = [endpoint["scheduleTrigger"]["schedule"] for endpoint in crons()]
    assert len(schedules) == len(CRON_MINUTES)
    assert all(len(schedule.split()) == 5 for schedule in schedules)


def test_every_param_has_a_line_in_the_example() -> None:
    """`.env.example` has each param with its default, so that a copy of it is a deploy that asks nothing."""
    params = [param for param in discovered()["params"] if param["type"] != "secret"]
    defaults = {param["name"]: param["default"] for param in params}
    assert settings_in(".env.example") == {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in defaults.items()
    }


def test_the_emulators_ask_for_nothing() -> None:
    """The settings of the demo project differ from a deploy's in the stand-ins alone; the example has every secret."""
    stand_ins = {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{USUAL_PORTS['openai']}/v1",
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{USUAL_PORTS['anthropic']}",
    }
    assert settings_in(".env.demo-ecolane") == settings_in(".env.example") | stand_ins
    secrets = {param["name"] for param in discovered()["params"] if param["type"] == "secret"}
    assert settings_in(".secret.local.example").keys() == secrets | SHOP_SECRETS


def test_the_local_cloud_knows_every_param() -> None:
    """Google's emulators get what a deploy would be asked for, with the addresses of the stand-ins in it."""
    asked = {param["name"]: param["type"] == "secret" for param in discovered()["params"]}
    plain, secrets = deploy_params()
    assert set(plain) == {name for name, secret in asked.items() if not secret}
    assert set(secrets) == {name for name, secret in asked.items() if secret} | SHOP_SECRETS


def test_every_emulator_has_its_usual_port() -> None:
    """`firebase emulators:start` serves every part of the product where `make dev` does."""
    parts = json.loads((ROOT / "firebase.json").read_text(encoding="utf-8"))["emulators"]
    ports = {name: part["port"] for name, part in parts.items() if isinstance(part, dict)}
    served = ("functions", "auth", "firestore", "storage", "hosting")
    assert ports == {name: USUAL_PORTS[name] for name in served} | {"ui": 4000}
    assert parts["singleProjectMode"] is True


def settings_in(name: str) -> dict[str, str]:
    """Return the lines NAME=value of a file."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_secret_is_set_before_the_deploy() -> None:
    """docs/deploy.md names the command for each: a deploy stops at a secret that is missing."""
    told = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    secrets = {param["name"] for param in discovered()["params"] if param["type"] == "secret"}
    assert set(re.findall(r"functions:secrets:set ([A-Z_]+)", told)) == secrets


def test_whoever_sells_nothing_is_asked_for_nothing() -> None:
    """No secret of the shop is a param, which every deploy would be asked for; each is in a function that is left out
    with SELLS=off, and no other function is. docs/payments.md has the command for each."""
    params = {param["name"]: param for param in discovered()["params"]}
    assert not SHOP_SECRETS & params.keys()
    assert params["SELLS"]["default"] == "off"
    selling = {name for name, endpoint in endpoints().items() if "omit" in endpoint}
    with_secrets = {name for name, endpoint in endpoints().items() if set(row(endpoint)[1]) & SHOP_SECRETS}
    assert selling == with_secrets | {"get_billing"}
    assert {endpoints()[name]["omit"] for name in selling} == {'{{ params.SELLS == "off" }}'}
    told = (ROOT / "docs/payments.md").read_text(encoding="utf-8")
    assert set(re.findall(r"functions:secrets:set ([A-Z_]+)", told)) == SHOP_SECRETS


def test_one_python_everywhere() -> None:
    """What is deployed, checked on every push and developed with is the same version of Python."""
    runtime = json.loads((ROOT / "firebase.json").read_text(encoding="utf-8"))["functions"][0]["runtime"]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["checks"]["steps"]
    (version,) = [step["with"]["python-version"] for step in steps if "setup-python" in step.get("uses", "")]
    assert runtime == "python" + version.replace(".", "")
    assert re.search(rf"/python:[\d.]+-{re.escape(version)}-\w+@", container["image"])


def test_a_push_is_checked_as_a_change_is() -> None:
    """The workflow fetches what is needed, runs .ci/run and has no checks of its own."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    *fetching, checking = [step["run"] for step in workflow["jobs"]["checks"]["steps"] if "run" in step]
    assert checking == ".ci/run"
    assert [line for line in fetching if re.search(r"\b(make|pytest|ruff|mypy)\b", line)] == []


# Capacity


def crons() -> list[dict[str, Any]]:
    """Return the scheduled functions."""
    return [endpoint for endpoint in endpoints().values() if "scheduleTrigger" in endpoint]


def test_callers_find_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """No function lets more callers into an instance than the framework gives it threads; a cron run is alone there,
    and whoever shares an instance has a whole CPU, without which Cloud Run lets nobody in beside."""
    monkeypatch.setenv("THREADS", "1")
    params.provide_threads()
    threads = GunicornApplication(None, "127.0.0.1", 0, debug=False).options["threads"]  # type: ignore[no-untyped-call]
    for name, endpoint in endpoints().items():
        assert endpoint["concurrency"] == (1 if endpoint in crons() else params.CALLERS_AT_ONCE), name
        assert 1 <= endpoint["concurrency"] <= threads
        assert endpoint["cpu"] == 1


def test_every_function_is_bounded_and_none_is_kept_warm() -> None:
    """Memory, time and instances are chosen, not left to the platform; nothing is billed while nobody calls."""
    for name, endpoint in endpoints().items():
        assert endpoint["availableMemoryMb"] in {512, 1024}, name
        assert endpoint["timeoutSeconds"] in {60, 120, 540}, name
        assert 1 <= endpoint["maxInstances"] <= INSTANCES_MAX, name
        assert endpoint["minInstances"] is None, name
        assert endpoint["region"] == ["{{ params.REGION }}"], name


def test_a_cron_runs_as_long_as_its_leases_allow() -> None:
    """The time limit of the deploy is the one that leases are checked against."""
    for endpoint in crons():
        assert timedelta(seconds=endpoint["timeoutSeconds"]) == FUNCTION_TIMEOUT


def test_workers_find_an_instance() -> None:
    """Each of as many workers as there can be runs in an instance of its own."""
    for name in SCALABLE:
        assert endpoints()[name]["maxInstances"] >= WORKERS_MAX


@pytest.mark.parametrize("name", ["classify_image", "upgrade_job"])
def test_no_instant_job_is_refunded_while_it_is_being_answered(name: str) -> None:
    """The call has ended before its lease has, whatever the operator sets."""
    timeout = endpoints()[name]["timeoutSeconds"]
    assert timedelta(seconds=timeout) == CALL_TIMEOUT
    with pytest.raises(ValidationError, match="leaseSeconds"):
        RuntimeConfig.model_validate({"instant": {"leaseSeconds": timeout}})


# Firestore

LIVES = {"Job": "aiJobs", "Batch": "batches", "Alert": "alerts", "DeadLetter": "deadLetters", "DeviceDay": "devices"}
LIVES |= {"Release": "releasedTokens", "Checkout": "checkouts", "Bulk": "bulkJobs", "Invite": "invites"}
"""Records that carry `expireAt`, and their collections."""


def test_whatever_expires_is_deleted() -> None:
    """Each collection whose documents carry `expireAt` has a TTL policy on it, and no index that would follow time."""
    modules = [
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for path in (ROOT / "functions/core").rglob("*.py")
    ]
    records = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    assert {record.__name__ for record in records if "expire_at" in getattr(record, "model_fields", {})} == LIVES.keys()

    overrides = json.loads((ROOT / "firestore.indexes.json").read_text(encoding="utf-8"))["fieldOverrides"]
    policies = [override for override in overrides if override.get("ttl")]
    assert {(override["collectionGroup"], override["fieldPath"]) for override in policies} == {
        (collection, "expireAt")
        # Checks are kept as jobs are; `cachedPhotos` has the field beside its entries, in no record.
        for collection in {*LIVES.values(), "cacheChecks", "cacheShared", "cachedPhotos"}
    }
    assert all(override["indexes"] == [] for override in policies)


def test_each_field_has_one_override() -> None:
    """Of two nobody would know which one is deployed last."""
    overrides = json.loads((ROOT / "firestore.indexes.json").read_text(encoding="utf-8"))["fieldOverrides"]
    fields = [(each["collectionGroup"], each["fieldPath"]) for each in overrides]
    assert len(fields) == len(set(fields))


def test_what_was_seen_of_a_flag_is_in_no_index() -> None:
    """Each of its many figures would be an entry of its own, written anew every minute."""
    overrides = json.loads((ROOT / "firestore.indexes.json").read_text(encoding="utf-8"))["fieldOverrides"]
    without = {each["fieldPath"] for each in overrides if each["collectionGroup"] == "stats" and not each["indexes"]}
    assert set(Flag) <= without
