"""Google's functions emulator as it answers over HTTP, and what becomes of us where it does not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, jsonify

from localcloud.functions_emulator import RunningSuite
from localcloud.functions_process import Trigger
from localcloud.project import ProjectError
from localcloud.serving import BackgroundServer, free_port

FUNCTIONS: list[dict[str, Any]] = [
    {
        "id": "europe-west1-greet",
        "name": "greet",
        "region": "europe-west1",
        "labels": {"deployment-callable": "true"},
        "httpsTrigger": {},
    },
    {"id": "europe-west1-inspect", "name": "inspect", "region": "europe-west1", "labels": {}, "httpsTrigger": {}},
    {
        "id": "europe-west1-forget",
        "name": "forget",
        "region": "europe-west1",
        "schedule": {"schedule": "0 * * * *", "timeZone": "Europe/Berlin"},
        "eventTrigger": {"eventType": "pubsub", "resource": ""},
    },
]
"""As firebase-tools 15 shows them under /backends, as far as anybody here looks."""


class Suite:
    """What the CLI's hub and functions emulator answer, on one port; `parts` are the emulators that run."""

    def __init__(self) -> None:
        self.functions: list[dict[str, Any]] = []
        self.asked = 0
        app = Flask("suite")
        self.server = BackgroundServer(app, "suite")
        self.parts = ["hub", "functions", "firestore", "auth"]
        app.add_url_rule("/", "hub", lambda: jsonify(version="15.0.0"))
        app.add_url_rule("/emulators", "emulators", self._emulators)
        app.add_url_rule("/backends", "backends", self._backends)

    def _emulators(self) -> str:
        return json.dumps({name: {"host": "127.0.0.1", "port": self.server.port} for name in self.parts})

    def _backends(self) -> str:
        """Show the functions from the second time on: at first they are being loaded."""
        self.asked += 1
        return json.dumps({"backends": [{"functionTriggers": self.functions if self.asked > 1 else []}]})


@pytest.fixture
def suite() -> Iterator[Suite]:
    """A running suite with three functions."""
    suite = Suite()
    suite.functions = FUNCTIONS
    suite.server.start()
    yield suite
    suite.server.stop()


def test_a_running_suite_is_found_with_its_functions(suite: Suite) -> None:
    """It is waited for until its functions are loaded; kinds, schedules and time zones are those discovered."""
    running = RunningSuite("demo-sample", suite.server.port)

    assert running.version == "15.0.0"
    assert running.triggers() == [
        Trigger("greet", "callable"),
        Trigger("inspect", "https"),
        Trigger("forget", "schedule", "0 * * * *", "Europe/Berlin"),
    ]


def test_a_scheduled_function_is_set_off_at_an_address_of_the_emulators_own(suite: Suite) -> None:
    """Others are called as in production, by project, region and name."""
    running = RunningSuite("demo-sample", suite.server.port)
    url = f"http://127.0.0.1:{suite.server.port}"

    assert running.function_url("greet") == f"{url}/demo-sample/europe-west1/greet"
    assert running.function_url("forget") == f"{url}/functions/projects/demo-sample/triggers/europe-west1-forget-0"
    with pytest.raises(LookupError, match="nope is no function; these are: greet, inspect, forget"):
        running.function_url("nope")


def test_nothing_that_runs_is_one_line() -> None:
    """The message says where a suite was looked for, and the command that starts one."""
    port = free_port()

    with pytest.raises(ProjectError, match=f"answers at 127.0.0.1:{port}; start it first: firebase emulators:start"):
        RunningSuite("demo-sample", port)


def test_a_suite_without_a_part_is_one_line(suite: Suite) -> None:
    """A suite started with --only is named with what it lacks."""
    suite.parts = ["hub", "functions"]

    with pytest.raises(ProjectError, match="has no firestore and no auth"):
        RunningSuite("demo-sample", suite.server.port)
