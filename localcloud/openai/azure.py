"""What is different at Azure: its v1 API under `/openai/v1`, keys, deployments in place of models, the content filter.

https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle and .../how-to/batch. The errors are as the
service is seen to send them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Request

from localcloud.openai.errors import ApiError, invalid

BASE_PATH = "/openai/v1"
BATCH_ENDPOINT = "/chat/completions"
BATCH_SKUS = frozenset({"GlobalBatch", "DataZoneBatch"})
SKUS = BATCH_SKUS | {"Standard", "GlobalStandard", "DataZoneStandard"}
HARMS = ("hate", "self_harm", "sexual", "violence")
SAFE = {"filtered": False, "severity": "safe"}


@dataclass(frozen=True)
class Deployment:
    """A model under a name of one's own. The SKU says which lane it serves, and where."""

    model: str
    sku: str = "GlobalStandard"


def deployment(text: str) -> tuple[str, Deployment]:
    """Return the name and the deployment of `NAME=MODEL:SKU`, as a command line has it."""
    name, _, served = text.partition("=")
    model, _, sku = served.partition(":")
    return name, Deployment(model, sku or "GlobalStandard")


class Azure:
    """One resource with its deployments by name."""

    def __init__(self, deployments: Mapping[str, Deployment]) -> None:
        """Serve these. Raises ValueError for a SKU that there is not."""
        if wrong := sorted({each.sku for each in deployments.values()} - SKUS):
            raise ValueError(f"there is no SKU {wrong[0]!r}: one of {', '.join(sorted(SKUS))}")
        self._deployments = dict(deployments)

    def path(self, path: str) -> str:
        """Return the path as OpenAI has it. Raises ApiError 404 for one that is not of the v1 API."""
        if not path.startswith(f"{BASE_PATH}/"):
            raise ApiError(404, "Resource not found", code="404")
        return path.removeprefix("/openai")

    def check_key(self, request: Request) -> None:
        """Accept a request with an `api-key` or a bearer token. Raises ApiError 401."""
        _, _, token = request.headers.get("authorization", "").partition(" ")
        if not request.headers.get("api-key", "").strip() and not token.strip():
            message = (
                "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key "
                "for an active subscription and use a correct regional API endpoint for your resource."
            )
            raise ApiError(401, message, code="401")

    def on_model(self, body: dict[str, Any], *, batch: bool) -> dict[str, Any]:
        """Return a request with the model itself in place of its deployment.

        Raises:
            ApiError: 404, there is no such deployment; 400, it serves the other lane.
        """
        found = self._deployments.get(str(body.get("model")))
        if found is None:
            message = (
                "The API deployment for this resource does not exist. If you created the deployment within the last 5 "
                "minutes, please wait a moment and try again."
            )
            raise ApiError(404, message, code="DeploymentNotFound")
        if (found.sku in BATCH_SKUS) is not batch:
            operation = "batch" if batch else "chatCompletion"
            message = f"The {operation} operation does not work with the specified deployment of SKU {found.sku}."
            raise invalid(message, code="OperationNotSupported")
        return {**body, "model": found.model}


def filtered() -> ApiError:
    """Return the 400 of the content filter: a policy, and not a fault of the picture's file."""
    found: dict[str, dict[str, Any]] = dict.fromkeys(HARMS, SAFE)
    found["violence"] = {"filtered": True, "severity": "medium"}
    message = (
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please "
        "modify your prompt and retry. To learn more about our content filtering policies please read our "
        "documentation: https://go.microsoft.com/fwlink/?linkid=2198766"
    )
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": found}
    more = {"type": None, "status": 400, "innererror": inner}
    return ApiError(400, message, param="prompt", code="content_filter", more=more)


def annotated(completion: dict[str, Any]) -> dict[str, Any]:
    """Return a completion with what the filter found in the prompt and in each choice."""
    safe = dict.fromkeys(HARMS, SAFE)
    choices = [{**choice, "content_filter_results": safe} for choice in completion["choices"]]
    prompt = [{"prompt_index": 0, "content_filter_results": safe}]
    return {**completion, "choices": choices, "prompt_filter_results": prompt}
