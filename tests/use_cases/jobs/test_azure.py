"""Azure in the instant lane: OpenAI's models by another door, under a deployment's name and at a price of their own."""

from collections import Counter
from typing import Any

import pytest

from functions.core.shared.errors import PhotoRefused
from scripts.inprocess import InProcessCloud
from tests.steps import alerts, classify, held, listed, today, wallet

AZURE = "azure/gpt-6-luna"
CHAT = "POST /v1/chat/completions"
KEYS = {
    "azure_api_key": "stand-in",
    "azure_deployment": "photos",
    "azure_base_url": "https://photos.openai.azure.com/openai/v1",
    "azure_zone": "eu",
    "anthropic_api_key": "stand-in",
}


def ordered(*order: str, **more: Any) -> dict[str, Any]:
    """Return a config that asks these, one after the other."""
    return {"providers": {"order": order, **more}}


@pytest.fixture
def cloud() -> InProcessCloud:
    """A deploy with all keys, whose config asks Azure first."""
    cloud = InProcessCloud(seed=1)
    cloud.restart(KEYS)
    cloud.configure(ordered("azure", "openai"))
    return cloud


def asked(cloud: InProcessCloud) -> tuple[int, int, int]:
    """Return how often Azure, OpenAI and Anthropic were asked."""
    return cloud.azure.requests[CHAT], cloud.openai.requests[CHAT], cloud.anthropic.requests["POST /v1/messages"]


def costs(cloud: InProcessCloud) -> dict[str, int]:
    """Return what is booked for instant calls, by model."""
    found = Counter[str]()
    for shard in listed(cloud, f"budget/{today(cloud)}/shards").values():
        found.update(shard.get("costs", {}).get("instant", {}))
    return dict(found)


def test_azure_answers_at_its_own_price(cloud: InProcessCloud) -> None:
    """0.12 and 0.60 dollars a million tokens in the EU's data zone; the result names provider and model, not the
    deployment."""
    usages: list[dict[str, Any]] = []
    chat = cloud.azure.engine.chat

    def noted(*args: Any, **more: Any) -> dict[str, Any]:
        answer = chat(*args, **more)
        usages.append(answer["usage"])
        return answer

    cloud.azure.engine.chat = noted  # type: ignore[method-assign]
    result = classify(cloud, "one")["result"]
    assert (result["provider"], result["model"]) == ("azure", "gpt-6-luna")
    (usage,) = usages
    micros = int(usage["prompt_tokens"] * 0.12 + usage["completion_tokens"] * 0.60 + 0.5)
    assert (costs(cloud), held(cloud), asked(cloud)) == ({AZURE: micros}, 0, (1, 0, 0))


@pytest.mark.parametrize(("second", "counts"), [("openai", (1, 1, 0)), ("anthropic", (1, 0, 1))])
def test_another_answers_if_azure_fails(cloud: InProcessCloud, second: str, counts: tuple[int, int, int]) -> None:
    """In the same call, and each leg under its own model."""
    cloud.configure(ordered("azure", second))
    cloud.azure.faults.add(kind="server_error")
    assert classify(cloud, "one")["result"]["provider"] == second
    assert asked(cloud) == counts
    assert AZURE not in {model for model, micros in costs(cloud).items() if micros}


def test_azure_can_stand_behind_another(cloud: InProcessCloud) -> None:
    """OpenAI's key is dead: the same model answers by another door, and operators hear of it."""
    cloud.configure(ordered("openai", "azure"))
    cloud.openai.faults.add(kind="refused", status=401, endpoint=CHAT)
    assert classify(cloud, "one")["result"]["provider"] == "azure"
    assert alerts(cloud, "key_refused")


def test_a_wrong_deployment_is_ours_to_mend(cloud: InProcessCloud) -> None:
    """No photo is blamed for a name that Azure does not know."""
    cloud.restart({**KEYS, "azure_deployment": "gone"})
    assert classify(cloud, "one")["result"]["provider"] == "openai"
    (told,) = alerts(cloud, "provider_refuses").values()
    assert "DeploymentNotFound" in told["text"]


def test_its_content_filter_refuses_a_photo_and_no_other_is_asked(cloud: InProcessCloud) -> None:
    """What one provider finds against its rules is shown to nobody else; the tokens come back."""
    cloud.azure.faults.add(kind="content_filter")
    with pytest.raises(PhotoRefused):
        classify(cloud, "one")
    assert (asked(cloud), wallet(cloud)["balance"]) == ((1, 0, 0), 10)


def test_azure_sees_photos_of_its_regions_alone(cloud: InProcessCloud) -> None:
    """In any capitals; others go on to the next in the order."""
    cloud.configure(ordered("azure", "openai", azureRegions=["Germany"]))
    at_home = classify(cloud, "one", region="germany")
    abroad = classify(cloud, "two", region="France")
    assert (at_home["result"]["provider"], abroad["result"]["provider"]) == ("azure", "openai")


def test_a_deploy_without_its_key_asks_the_next(cloud: InProcessCloud) -> None:
    """And says so to operators."""
    cloud.restart()
    cloud.configure(ordered("azure", "openai"))
    assert classify(cloud, "one")["result"]["provider"] == "openai"
    (told,) = alerts(cloud, "provider_refuses").values()
    assert "Azure" in told["text"]


def test_azure_is_told_no_more_than_it_documents(cloud: InProcessCloud) -> None:
    """No field of OpenAI's alone, and the deployment in place of the model."""
    sent: list[dict[str, Any]] = []
    chat = cloud.azure.engine.chat

    def noted(body: Any, **more: Any) -> dict[str, Any]:
        sent.append(body)
        return chat(body, **more)

    cloud.azure.engine.chat = noted  # type: ignore[method-assign]
    classify(cloud, "one")
    assert (sent[0]["model"], sent[0]["reasoning_effort"], "safety_identifier" in sent[0]) == ("photos", "none", False)
