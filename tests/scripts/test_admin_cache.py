"""`admin cache` and `admin warm`, run as a person runs them."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from functions.use_cases.operations.guard_budget import guard_budget
from scripts.admin import app
from scripts.inprocess import InProcessCloud
from scripts.operators import session
from tests.steps import UNLIMITED, classify, listed, stored

ON: dict[str, Any] = {"cache": {"exact": "on"}, "tokens": {"welcome": 200}, "plans": {"free": UNLIMITED}}
Run = Callable[..., Result]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> InProcessCloud:
    """A cloud whose cache is off, which the command takes for the project."""
    cloud = InProcessCloud(seed=1)
    cloud.configure({**ON, "cache": {}})
    monkeypatch.setattr(session, "connect", lambda _project: cloud.operator())
    return cloud


@pytest.fixture
def run() -> Run:
    """Run the command."""
    environment = {"GCLOUD_PROJECT": "demo-ecolane", "ECOLANE_OPERATOR": "mia", "COLUMNS": "200"}
    return lambda *arguments: CliRunner().invoke(app, arguments, env=environment)


def test_the_figures_are_the_guards(cloud: InProcessCloud, run: Run) -> None:
    """Before it has counted anything, the command says so."""
    refused = run("cache")
    assert (refused.exit_code, "nothing was counted yet" in refused.output) == (1, True)
    cloud.configure(ON)
    guard_budget(cloud.deps)
    first = classify(cloud, "one")
    classify(cloud, "two")
    guard_budget(cloud.deps)
    shown = run("cache")
    assert shown.exit_code == 0
    assert "Photos   2, 50.0 % answered again, 50.0 % came again" in shown.output
    assert first["result"]["category"] in shown.output
    assert json.loads(run("cache", "--json").stdout) == stored(cloud, "stats/cacheReport")["report"]


def test_a_users_earlier_photos_are_made_known(cloud: InProcessCloud, run: Run) -> None:
    """As far as they answer, and their files are there; again, nothing is left to do, and it is on record."""
    old = classify(cloud, "old")
    cloud.clock.advance(timedelta(days=31))
    known, gone, waiting = classify(cloud, "one"), classify(cloud, "two", region="Oslo"), classify(cloud, "q", "batch")
    del cloud.files.objects["users/ann/uploads/two.jpg"]
    refused = run("warm", "ann", "--why", "moved in", "--yes")
    assert (refused.exit_code, "the cache is off" in refused.output) == (1, True)
    cloud.configure(ON)
    assert "1 more photos of ann are known" in run("warm", "ann", "--why", "moved in", "--yes").output
    assert list(stored(cloud, "users/ann/cachedPhotos/main")["entries"]) == [known["jobId"]]
    assert [each["action"] for each in listed(cloud, "audit").values()] == ["warm"]
    assert "0 more photos of ann are known" in run("warm", "ann", "--why", "moved in", "--yes").output
    assert classify(cloud, "three")["servedFrom"]["jobId"] == known["jobId"]
    assert {old["jobId"], gone["jobId"], waiting["jobId"]} <= listed(cloud, "aiJobs").keys()
