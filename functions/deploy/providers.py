"""Params and secrets of who answers photos. `functions.deploy.params` checks them with all others."""

from collections.abc import Iterable

from firebase_functions import params

from functions.core.model.image_tokens import ANTHROPIC_FORMULAS, FORMULAS


def _one_of(values: Iterable[str]) -> params.SelectInput[str]:
    return params.SelectInput([params.SelectOption(each) for each in values])


OPENAI_MODEL = params.StringParam(
    "OPENAI_MODEL",
    default="gpt-6-luna",
    description="The model that classifies; it must have a known price.",
    input=_one_of(FORMULAS),
)
OPENAI_BASE_URL = params.StringParam(
    "OPENAI_BASE_URL", default="https://api.openai.com/v1", description="OpenAI, or a server that speaks its API."
)
OPENAI_API_KEY = params.SecretParam("OPENAI_API_KEY", description="The key that pays for classifications.")

ANTHROPIC_MODEL = params.StringParam(
    "ANTHROPIC_MODEL",
    default="claude-haiku-5-5",
    description="The model that classifies where the config names Anthropic.",
    input=_one_of(ANTHROPIC_FORMULAS),
)
ANTHROPIC_BASE_URL = params.StringParam(
    "ANTHROPIC_BASE_URL", default="https://api.anthropic.com", description="Anthropic, or a stand-in for it."
)
ANTHROPIC_API_KEY = params.SecretParam(
    "ANTHROPIC_API_KEY", description="The key that pays for classifications at Anthropic; none for none."
)
AZURE_MODEL = params.StringParam(
    "AZURE_MODEL",
    default="gpt-6-luna",
    description="The model behind the deployment that is asked where the config names Azure.",
    input=_one_of(FORMULAS),
)
AZURE_DEPLOYMENT = params.StringParam(
    "AZURE_DEPLOYMENT", default="", description="The name of that deployment; empty if it is the model's."
)
AZURE_BASE_URL = params.StringParam(
    "AZURE_BASE_URL",
    default="",
    description="Azure's v1 API, https://RESOURCE.openai.azure.com/openai/v1; empty for none.",
)
AZURE_ZONE = params.StringParam(
    "AZURE_ZONE",
    default="global",
    description="Where the deployment computes, which decides its price.",
    input=_one_of(("global", "us", "eu")),
)
AZURE_API_KEY = params.SecretParam(
    "AZURE_API_KEY", description="The key that pays for classifications at Azure; none for none."
)
