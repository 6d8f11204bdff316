"""What operators ask about providers and change: whether each can be asked, and taking one out."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from functions.use_cases.batches.submit_batches import submit_batches
from scripts.admin import app
from scripts.inprocess import InProcessCloud
from scripts.operators import session
from tests.steps import classify, listed

Run = Callable[..., Result]

KEYS = {
    "anthropic_api_key": "sk-secret-anthropic",
    "azure_api_key": "sk-secret-azure",
    "azure_deployment": "photos",
    "azure_zone": "eu",
    "openai_api_key": "sk-secret-openai",
}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcessCloud]:
    """A cloud whose providers listen, since the command asks them as an operator's shell does."""
    cloud = InProcessCloud(seed=1)
    with cloud.openai, cloud.anthropic, cloud.azure:
        urls = {f"{each}_base_url": getattr(cloud, each).base_url for each in ("openai", "anthropic", "azure")}
        cloud.restart({**KEYS, **urls})
        cloud.configure({"providers": {"order": ["openai", "azure"], "batchOrder": ["anthropic", "openai"]}})
        monkeypatch.setattr(session, "connect", lambda _project: cloud.operator())
        yield cloud


@pytest.fixture
def run() -> Run:
    """Run the command."""
    environment = {"GCLOUD_PROJECT": "demo-ecolane", "ECOLANE_OPERATOR": "mia", "COLUMNS": "200"}

    def invoke(*arguments: str, answer: str = "") -> Result:
        return CliRunner().invoke(app, ("providers", *arguments), input=answer, env=environment)

    return invoke


def problems(run: Run) -> dict[str, list[str]]:
    """Return what is wrong with each provider."""
    told = json.loads(run("check", "--json").stdout)
    return {each["provider"]: each["problems"] for each in told["providers"]}


def test_all_is_well_is_one_table_without_a_secret(cloud: InProcessCloud, run: Run) -> None:
    """Lanes with their order, model, region and prices; nothing is billed."""
    result = run("check")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    well = "yes: key taken, model known"
    assert f"OpenAI instant 1, batch 2 gpt-6-luna any 0.1 / 0.5 0.05 / 0.25 {well}" in lines
    assert f"Azure instant 2 gpt-6-luna eu 0.12 / 0.6 - {well}" in lines
    assert f"Anthropic batch 1 claude-haiku-5-5 any 0.1 / 0.5 0.05 / 0.25 {well}" in lines
    assert "sk-secret" not in result.output
    assert cloud.openai.requests["POST /v1/chat/completions"] == 0
    assert cloud.anthropic.requests["POST /v1/messages"] == 0


def test_what_is_wrong_is_said_and_fails(cloud: InProcessCloud, run: Run) -> None:
    """A refused key, an account without money, a model or a deployment that there is not, a server that is down."""
    cloud.openai.faults.add(kind="refused", status=401, code="invalid_api_key")
    cloud.anthropic.faults.add(kind="spend_limit")
    assert problems(run) == {
        "openai": ["the key is refused (status 401, code invalid_api_key)"],
        "anthropic": ["the account has no money, or is at its limit (status 429, code enforced_spend_limit_reached)"],
        "azure": [],
    }
    urls = {"azure_base_url": cloud.azure.base_url, "anthropic_base_url": "http://127.0.0.1:9"}
    changed = {"azure_deployment": "gone", "openai_base_url": cloud.openai.base_url, "openai_model": "gpt-nobody"}
    cloud.restart({**KEYS, **urls, **changed})
    result = run("check")
    assert result.exit_code == 1
    found = problems(run)
    assert found["azure"] == ["the model, the address or the request is refused (status 404, code DeploymentNotFound)"]
    assert found["anthropic"] == ["it is not reached (no answer (ConnectError))"]
    assert found["openai"] == [
        "no price in the instant lane",
        "no price in the batch lane",
        "what a photo costs in tokens is not known",
        "the model, the address or the request is refused (status 404, code model_not_found)",
    ]


def test_a_shell_without_a_key_says_which(cloud: InProcessCloud, run: Run) -> None:
    """It asks nobody then."""
    cloud.restart({"openai_base_url": cloud.openai.base_url})
    assert problems(run)["anthropic"] == ["not asked: this shell has no ANTHROPIC_API_KEY"]
    assert cloud.anthropic.requests["GET /v1/models/{model}"] == 0


def test_a_workspace_with_others_batches_is_told(cloud: InProcessCloud, run: Run) -> None:
    """After a lost reply, a batch of the same size could be taken for ours. Our own is none of them."""
    classify(cloud, "one", mode="batch")
    submit_batches(cloud.deps)
    assert problems(run)["anthropic"] == []
    message = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"x-api-key": "any", "anthropic-version": "2026-10-21"}
    body = {"requests": [{"custom_id": "theirs", "params": message}]}
    cloud.anthropic.http_client().post("/v1/messages/batches", json=body, headers=headers).raise_for_status()
    assert problems(run)["anthropic"] == ["1 batch is in its workspace and not ours: give Ecolane one of its own"]


def orders(cloud: InProcessCloud) -> Any:
    """Return what the config has of providers."""
    return (cloud.client.document("config/runtime").get().to_dict() or {}).get("providers")


def test_a_provider_is_drained_and_put_back(cloud: InProcessCloud, run: Run) -> None:
    """On record, after a yes; what is still there is said; the next photos go elsewhere."""
    classify(cloud, "one", mode="batch")
    submit_batches(cloud.deps)
    before = orders(cloud)
    assert run("drain", "anthropic", answer="n\n").exit_code == 1
    assert orders(cloud) == before
    result = run("drain", "anthropic", "--yes")
    assert result.exit_code == 0, result.output
    assert orders(cloud) == {"order": ["openai", "azure"], "batchOrder": ["openai"]}
    assert "1 of our batches, with 1 photos, are at Anthropic since 2026-11-21" in result.stdout
    cloud.restart({**KEYS, "openai_base_url": cloud.openai.base_url})
    assert "Nothing to do" in run("drain", "anthropic", "--yes").stdout
    told = json.loads(run("drain", "anthropic", "--undo", "--yes", "--json").stdout)
    assert told["changed"] == [
        {"field": "providers.batchOrder", "before": ["openai"], "after": ["anthropic", "openai"]}
    ]
    assert orders(cloud) == before
    entries = listed(cloud, "config/runtime/audit").values()
    assert sorted((each["by"], len(each["changed"])) for each in entries) == [("mia", 1), ("mia", 1)]


def test_the_last_one_cannot_be_drained(cloud: InProcessCloud, run: Run) -> None:
    """Nor one whose order somebody has changed since; nothing is changed then."""
    assert run("drain", "azure", "--yes").exit_code == 0
    result = run("drain", "openai", "--yes")
    assert result.exit_code == 1
    assert "OpenAI is the only one in providers.order. Name another one first" in result.stderr
    cloud.configure({"providers": {"order": ["openai", "anthropic"]}})
    assert "providers.order has been changed meanwhile" in run("drain", "azure", "--undo", "--yes").stderr
    assert orders(cloud) == {"order": ["openai", "anthropic"]}
    assert "nobody has taken Anthropic out" in run("drain", "anthropic", "--undo", "--yes").stderr


def test_who_takes_it_out_of_the_default_puts_the_default_back(cloud: InProcessCloud, run: Run) -> None:
    """What was not stored is not stored again. OpenAI stays where nobody else may see a photo, which is said first."""
    cloud.configure({"providers": {"order": ["openai", "azure"]}})
    cloud.client.document("config/runtime").update({"providers.batchOrder": ["anthropic", "openai"]})
    cloud.restart({**KEYS})
    result = run("drain", "openai", "--yes")
    assert "Photos that no provider in the order may see still go to OpenAI" in result.stdout
    assert orders(cloud) == {"order": ["azure"], "batchOrder": ["anthropic"]}
