"""Prices and budget from Firebase Remote Config, where a deploy has it so."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from firebase_admin.remote_config import ServerTemplate, _ServerTemplateData

from functions.adapters.current_config import REMOTE_CONFIG_AGE_MAX
from functions.adapters.remote_config import remote_values
from functions.core.config.changes import REMOTE_KEYS
from functions.use_cases.budget.days import open_day
from functions.use_cases.operations.guard_budget import guard_budget
from functions.wiring import Deps
from scripts.inprocess import InProcessCloud, replaced


def template(**values: str) -> ServerTemplate:
    """Return the SDK's own template, as the console would have stored it."""
    parameters = {key: {"defaultValue": {"value": value}} for key, value in values.items()}
    made = ServerTemplate.__new__(ServerTemplate)
    content = {"parameters": parameters, "conditions": [], "version": {}, "etag": "1"}
    vars(made).update(_cache=_ServerTemplateData(content), _stringified_default_config={}, _lock=mock.MagicMock())
    assert json.loads(made.to_json())["parameters"] == parameters
    return made


def test_only_what_is_set_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of our keys those that the console has, as text; other parameters are not ours."""
    stored = template(batch_token_price="2", something_else="9")
    monkeypatch.setattr("functions.adapters.remote_config.fetched_template", lambda: stored)
    assert remote_values(REMOTE_KEYS) == {"batch_token_price": "2"}


@pytest.fixture
def cloud() -> InProcessCloud:
    """The product in one process."""
    return InProcessCloud(seed=1)


@pytest.fixture
def deps(cloud: InProcessCloud) -> Deps:
    """A process that was deployed with Remote Config."""
    cloud.client.document("config/runtime").set({"tokens": {"batchPrice": 3}})
    return cloud.new_process({"remote_config": True})


def serve(deps: Deps, values: Mapping[str, str] | Exception) -> SimpleNamespace:
    """Let Remote Config answer with these values, or fail, and count how often it is asked."""
    asked = SimpleNamespace(times=0)

    def answer() -> Mapping[str, str]:
        asked.times += 1
        if isinstance(values, Exception):
            raise values
        return values

    replaced(deps, remote_values=answer)
    return asked


def advance(deps: Deps, step: timedelta) -> None:
    """Move the process's clock."""
    clock: Any = deps.clock
    clock.advance(step)


def test_it_wins_over_the_document_and_is_asked_every_five_minutes(deps: Deps) -> None:
    """What the console sets is in force, and is fetched anew only now and then."""
    asked = serve(deps, {"batch_token_price": "2"})
    for _ in range(12):
        assert deps.runtime().tokens.batch_price == 2
        advance(deps, timedelta(seconds=31))
    assert asked.times == 2


def test_while_it_is_down_its_last_values_stay(deps: Deps, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure is reported and changes no price; before a first answer the document counts."""
    serve(deps, ConnectionError("not to be reached"))
    assert deps.runtime().tokens.batch_price == 3
    advance(deps, timedelta(minutes=6))
    serve(deps, {"batch_token_price": "2"})
    assert deps.runtime().tokens.batch_price == 2
    advance(deps, timedelta(minutes=6))
    serve(deps, ConnectionError("not to be reached"))
    assert deps.runtime().tokens.batch_price == 2
    assert "remote_config_failed" in capsys.readouterr().err


def test_without_the_param_nothing_is_asked(deps: Deps) -> None:
    """A deploy without Remote Config never asks for it."""
    replaced(deps, settings=replace(deps.settings, remote_config=False))
    asked = serve(deps, {"batch_token_price": "2"})
    assert (deps.runtime().tokens.batch_price, asked.times) == (3, 0)


@pytest.mark.parametrize("review", [lambda deps: open_day("2026-11-21", deps), guard_budget], ids=["open", "guard"])
def test_nobody_waits_for_it_while_a_day_is_reviewed(
    cloud: InProcessCloud, deps: Deps, review: Callable[[Deps], object]
) -> None:
    """A review locks the day, which every charge needs: Remote Config, and whatever else is old by then, is asked for
    before that, and its values count."""
    asked = serve(deps, {"daily_budget_usd": "7"})
    reviews: list[tuple[int, int]] = []

    def watch(call: str, when: str) -> None:
        if (call, when) == ("firestore.BeginTransaction", "before"):
            advance(deps, REMOTE_CONFIG_AGE_MAX + timedelta(seconds=1))  # whatever was fetched is old from here on
            reviews.append((asked.times, -1))
        if (call, when) == ("firestore.Commit", "before") and reviews and reviews[-1][1] < 0:
            reviews[-1] = (reviews[-1][0], asked.times)

    with cloud.interrupting(watch):
        review(deps)
    assert reviews[-1][0] >= 1
    assert reviews[-1][0] == reviews[-1][1]
    assert sum(shard.limit for shard in deps.store.budget_shards("2026-11-21").values()) == 7_000_000
