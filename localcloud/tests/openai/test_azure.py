"""Azure's v1 API: deployments in place of models, keys, the content filter, and batches that differ."""

from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest

from localcloud.openai.azure import Deployment

DEPLOYMENTS = {
    "photos": Deployment("gpt-6-luna", "DataZoneStandard"),
    "batches": Deployment("gpt-6-luna", "DataZoneBatch"),
}
ENDPOINT: Any = "/chat/completions"


@pytest.fixture
def azure(make_world: Callable[..., Any]) -> Any:
    """A resource with a deployment for each lane."""
    return make_world(azure=DEPLOYMENTS)


def lines(azure: Any, count: int, **changes: Any) -> list[dict[str, Any]]:
    """Input lines as Azure wants them."""
    return [{**line, "url": ENDPOINT} for line in azure.lines(count, **{"model": "batches", **changes})]


def submitted(azure: Any, requests: list[dict[str, Any]], **options: Any) -> Any:
    """Upload the lines and create the batch."""
    file = azure.upload(requests)
    return azure.client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", **options)


def test_a_deployment_answers_under_its_models_name(azure: Any) -> None:
    """The request names the deployment, the answer the model: the price goes by the latter."""
    answer = azure.client.chat.completions.create(**azure.body(model="photos"))
    assert answer.model == "gpt-6-luna"
    assert answer.model_extra["prompt_filter_results"][0]["content_filter_results"]["violence"]["filtered"] is False
    assert str(azure.client.base_url).endswith("/openai/v1/")


def test_what_is_no_deployment_is_a_404_with_azures_code(azure: Any) -> None:
    """Also the name of the model itself."""
    with pytest.raises(openai.NotFoundError) as refusal:
        azure.client.chat.completions.create(**azure.body(model="gpt-6-luna"))
    assert refusal.value.code == "DeploymentNotFound"


def test_a_deployment_serves_one_lane(azure: Any) -> None:
    """One for batches refuses a call, and a batch that names one for calls fails as a whole."""
    with pytest.raises(openai.BadRequestError) as refusal:
        azure.client.chat.completions.create(**azure.body(model="batches"))
    assert refusal.value.code == "OperationNotSupported"
    failed = azure.later(submitted(azure, lines(azure, 2, model="photos")), minutes=20)
    assert (failed.status, failed.errors.data[0].code) == ("failed", "model_not_found")


def test_a_key_comes_in_either_header(make_world: Callable[..., Any]) -> None:
    """`api-key`, or a bearer token as OpenAI's client sends it; without one it is a 401, OpenAI's own path a 404."""
    azure = make_world(socket=True, azure=DEPLOYMENTS)
    body = azure.body(model="photos")
    address = f"{azure.standin.base_url}/chat/completions"
    assert httpx2.post(address, json=body, headers={"api-key": "any"}).status_code == 200
    refused = httpx2.post(address, json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "401")
    elsewhere = httpx2.post(address.replace("/openai", ""), json=body, headers={"api-key": "any"})
    assert (elsewhere.status_code, elsewhere.json()["error"]["message"]) == (404, "Resource not found")


def test_the_content_filter_is_a_400_that_tells_policy_from_photo(azure: Any) -> None:
    """In a call, and in a line of a batch, which costs no other line."""
    azure.standin.faults.add("content_filter")
    with pytest.raises(openai.BadRequestError) as refusal:
        azure.client.chat.completions.create(**azure.body(model="photos"))
    error: Any = refusal.value.body
    assert (refusal.value.code, error["innererror"]["code"]) == ("content_filter", "ResponsibleAIPolicyViolation")
    assert error["innererror"]["content_filter_result"]["violence"] == {"filtered": True, "severity": "medium"}
    azure.standin.faults.add("content_filter", custom_id="job-1")
    batch = azure.later(submitted(azure, lines(azure, 3)), minutes=20)
    assert (batch.request_counts.completed, batch.request_counts.failed) == (2, 1)
    (line,) = azure.output(batch.error_file_id)
    assert (line["custom_id"], line["response"]["body"]["error"]["code"]) == ("job-1", "content_filter")


def test_a_clean_batch_has_an_error_file_without_a_byte(azure: Any) -> None:
    """Where OpenAI has none."""
    batch = azure.later(submitted(azure, lines(azure, 3)), minutes=20)
    assert batch.status == "completed"
    assert len(azure.output(batch.output_file_id)) == 3
    assert azure.output(batch.error_file_id) == []


def test_a_batch_does_not_expire(azure: Any) -> None:
    """24 hours are a target: whoever wants an end cancels, and keeps what was done."""
    azure.standin.faults.add("batch_expires", share=0.5)
    batch = azure.later(submitted(azure, lines(azure, 4)), days=3)
    assert (batch.status, batch.request_counts.completed) == ("in_progress", 2)
    azure.client.batches.cancel(batch.id)
    ended = azure.later(batch, minutes=10)
    assert (ended.status, len(azure.output(ended.output_file_id))) == ("cancelled", 2)


def test_openais_endpoint_is_not_azures(azure: Any) -> None:
    """A batch is created for `/chat/completions`, without the version."""
    file = azure.upload(lines(azure, 1))
    with pytest.raises(openai.BadRequestError, match="/chat/completions"):
        azure.client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")


def test_a_sku_that_there_is_not_is_refused(make_world: Callable[..., Any]) -> None:
    """When the stand-in is made."""
    with pytest.raises(ValueError, match="no SKU 'Batch'"):
        make_world(azure={"photos": Deployment("gpt-6-luna", "Batch")})
