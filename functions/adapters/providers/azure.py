"""Azure OpenAI, by its v1 API: OpenAI's dialect and client, with a deployment's name in place of the model's."""

from typing import Any

from openai import OpenAI

from functions.adapters.providers.openai import OpenAIProvider
from functions.core.model.parsing import Completion


class AzureProvider(OpenAIProvider):
    """Chat completions of one deployment. It takes the key as a bearer token, as OpenAI does:
    https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle"""

    def __init__(self, client: OpenAI, deployment: str) -> None:
        """Take a client whose address ends with /openai/v1."""
        super().__init__(client)
        self._deployment = deployment

    def complete(self, body: dict[str, Any], timeout_seconds: float) -> Completion:
        """Ask for one chat completion; see `OpenAIProvider`. `body` names the model, by which outages are kept."""
        return super().complete({**body, "model": self._deployment}, timeout_seconds)
