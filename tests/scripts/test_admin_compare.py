"""Comparing providers on labelled photos: what it costs is said first, held and booked; what each gets right."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from functions.adapters.providers.anthropic import AnthropicProvider
from scripts.admin import app
from scripts.drawings import drawn_photos
from scripts.inprocess import InProcessCloud
from scripts.operators import session
from tests.steps import listed, today

Run = Callable[..., Result]

LABELLED = {
    "dry-waste": ("bottle.jpg", "can.jpg"),
    "Wet Waste": ("banana.jpg",),
    "hazardous_waste": ("battery.jpg",),
    "medical-waste": ("newspaper.jpg",),
}
"""The last one is wrong."""


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcessCloud]:
    """A cloud whose providers listen, since the command asks them as an operator's shell does."""
    cloud = InProcessCloud(seed=1)
    with cloud.openai, cloud.anthropic:
        urls = {"openai_base_url": cloud.openai.base_url, "anthropic_base_url": cloud.anthropic.base_url}
        cloud.restart({"anthropic_api_key": "sk-secret", **urls})
        monkeypatch.setattr(session, "connect", lambda _project: cloud.operator())
        yield cloud


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Labelled photos."""
    for label, names in LABELLED.items():
        (tmp_path / label).mkdir()
        for name in names:
            (tmp_path / label / name).write_bytes(drawn_photos()[name])
    return tmp_path


def run(*arguments: str, answer: str = "") -> Result:
    """Run the command."""
    environment = {"GCLOUD_PROJECT": "demo-ecolane", "ECOLANE_OPERATOR": "mia", "COLUMNS": "200"}
    return CliRunner().invoke(app, ("providers", "compare", *arguments), input=answer, env=environment)


def books(cloud: InProcessCloud) -> tuple[int, dict[str, int]]:
    """Return what is held on the day, and what is booked by model."""
    shards = listed(cloud, f"budget/{today(cloud)}/shards").values()
    costs = Counter[str]()
    for shard in shards:
        costs.update(shard.get("costs", {}).get("instant", {}))
    return sum(shard["reserved"] for shard in shards), dict(costs)


def test_each_is_asked_and_what_it_cost_is_booked(cloud: InProcessCloud, folder: Path) -> None:
    """Right answers by their labels, seconds, and the cost of a photo; the books have the sum, and nothing is held."""
    cloud.openai.settings.latency_ms = 20
    cloud.anthropic.faults.add(kind="refusal")
    cloud.openai.faults.add(kind="server_error", endpoint="POST /v1/chat/completions", skip=1)
    result = run(str(folder), "--yes", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    luna, haiku = told["models"]
    assert [luna[name] for name in ("model", "asked", "right", "useless", "down")] == ["gpt-6-luna", 4, 3, 0, 1]
    assert [haiku[name] for name in ("asked", "right", "useless", "down")] == [5, 3, 1, 0]
    assert haiku["asFirst"] == 3
    low, high = luna["within"]
    assert low < 0.75 < high
    assert 0.02 <= luna["p50"] <= luna["p95"]
    booked = {each["model"]: each["micros"] for each in told["models"]}
    assert min(booked.values()) > 0
    assert luna["each"] == booked["gpt-6-luna"] // 4
    assert books(cloud) == (0, booked)
    measured = cloud.deps.store.measure_day(today(cloud)).drift
    assert (measured.reserved, measured.spent) == (0, 0)
    (entry,) = listed(cloud, "audit").values()
    assert (entry["by"], entry["action"], [each["field"] for each in entry["changed"]]) == ("mia", "compare", [*booked])
    assert listed(cloud, "stats").get("queue", {}).get("provider", {}) == {}


def test_the_cost_is_shown_before_anything_is_asked(cloud: InProcessCloud, folder: Path) -> None:
    """And a no asks nobody and holds nothing. So few photos as wanted are sent."""
    result = run(str(folder), "--each", "1", answer="n\n")
    assert result.exit_code == 1
    assert "4 photos to each of 2 models" in result.output
    assert "At most $0.005" in result.output
    assert cloud.openai.requests["POST /v1/chat/completions"] == 0
    assert books(cloud) == (0, {})
    shown = run(str(folder), "--each", "1", "--providers", "anthropic", answer="y\n")
    assert shown.exit_code == 0, shown.output
    assert "anthropic/claude-haiku-5-5" in shown.stdout
    assert "75.0 %" in shown.stdout
    assert "sk-secret" not in shown.output


def test_a_budget_without_room_is_not_passed(cloud: InProcessCloud, folder: Path) -> None:
    """What was held for the first model is free again, and nobody was asked."""
    cloud.configure({"budget": {"dailyLimitMicros": 5_000}})
    result = run(str(folder), "--yes")
    assert result.exit_code == 1
    assert "today's budget has room for" in result.stderr
    assert books(cloud) == (0, {})
    assert cloud.openai.requests["POST /v1/chat/completions"] == 0


def test_whoever_stops_it_pays_for_what_was_asked(
    cloud: InProcessCloud, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while Anthropic answers: that answer is booked at its most, the others at what they cost."""
    monkeypatch.setattr(AnthropicProvider, "complete", _stopped)
    assert run(str(folder), "--yes").exit_code != 0
    reserved, booked = books(cloud)
    holds = {each["model"]: each["hold"] for each in listed(cloud, "batches").values()}
    assert reserved == 0
    assert booked["anthropic/claude-haiku-5-5"] == holds["anthropic/claude-haiku-5-5"]["lineMicros"]
    assert 0 < booked["gpt-6-luna"] < holds["gpt-6-luna"]["lineMicros"]


def _stopped(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--providers", "openai,nobody"), "'nobody' is not a valid Provider: one of openai, azure, anthropic"),
        (("--providers", "azure"), "azure cannot be asked: this shell has no AZURE_API_KEY"),
    ],
)
def test_what_cannot_be_asked_is_said(cloud: InProcessCloud, folder: Path, arguments: Any, says: str) -> None:
    """In one line, before anything is held."""
    result = run(str(folder), "--yes", *arguments)
    assert result.exit_code == 1
    assert says in result.stderr
    assert books(cloud) == (0, {})


def test_a_folder_that_is_not_labelled_is_said(cloud: InProcessCloud, tmp_path: Path) -> None:
    """Nothing in it, a name that is no category, a file that is no photo."""
    assert "has no photos in folders named as categories" in run(str(tmp_path), "--yes").stderr
    (tmp_path / "dry-waste").mkdir()
    (tmp_path / "dry-waste" / "text.jpg").write_text("hello")
    assert "text.jpg: " in run(str(tmp_path), "--yes").stderr
    (tmp_path / "bottles").mkdir()
    assert "bottles is no category: one of Wet Waste, Dry Waste" in run(str(tmp_path), "--yes").stderr
    assert books(cloud) == (0, {})
