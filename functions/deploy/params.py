"""A deploy's typed params: `firebase deploy` asks for them, and they are checked before the first request is served.
This module reads the environment, and `shop.params`, which has those of whoever sells something: no other."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firebase_functions import params

from functions.core.shared.providers import Provider, named
from functions.deploy import providers
from functions.deploy.addresses import is_openai, is_sealed, openai_region
from functions.deploy.shop import params as shop
from functions.deploy.shop.params import NO_KEY

if TYPE_CHECKING:
    from functions.core.rollouts.flags import Flag

REGION = params.StringParam("REGION", default="us-central1", description="Where the functions run.")
OPENAI_WEBHOOK_SECRET = params.SecretParam(
    "OPENAI_WEBHOOK_SECRET", description="What OpenAI signs its webhooks with (whsec_...)."
)

ALERT_WEBHOOK_URL = params.StringParam(
    "ALERT_WEBHOOK_URL", default="", description="Where alerts about the budget are posted to; empty for nowhere."
)
ALERT_WEBHOOK_SECRET = params.SecretParam(
    "ALERT_WEBHOOK_SECRET", description="What posted alerts are signed with; any text that the receiver knows."
)

REMOTE_CONFIG = params.BoolParam(
    "REMOTE_CONFIG", default=False, description="Whether prices and budget may come from Firebase Remote Config."
)

ENFORCE_APP_CHECK = params.BoolParam(
    "ENFORCE_APP_CHECK", default=False, description="Whether callables refuse callers without an App Check token."
)
CHECK_REVOKED_TOKENS = params.BoolParam(
    "CHECK_REVOKED_TOKENS",
    default=False,
    description="Whether each call asks Firebase if its token was revoked: a request more. Operators' calls do anyway.",
)
DAILY_BUDGET_USD_MAX = params.IntParam(
    "DAILY_BUDGET_USD_MAX",
    default=100,
    description="The most that operators can set the AI budget of a day to, in dollars.",
)
FLAGS = params.StringParam(
    "FLAGS",
    default="",
    description="The most percent of users that operators can give a flag to, as model=50,prompt=0; 100 if not named.",
)
OPERATOR_SECOND_FACTOR = params.BoolParam(
    "OPERATOR_SECOND_FACTOR",
    default=True,
    description="Whether operators who change something have to have signed in with a second factor.",
)

FIREBASE_TIMEOUT_SECONDS = 5
"""For a request to Firebase's own services, made twice by the Admin SDK if it has to; its default is two minutes."""

CALLERS_AT_ONCE = 16
"""Callers that one instance of a callable serves at once; Cloud Run starts another instance for more.

Memory is the bound: sixteen photos of 10 MB, one being decoded at 100 MB, and the process at 180 MB are half of a
gigabyte. A call of `classify_image` computes for 25 ms and waits for seconds, so sixteen take a seventh of a CPU: `make
bench BENCH=instant` has the figures.
"""


def provide_threads() -> None:
    """Have the functions framework start a thread for each caller that Cloud Run lets in. By itself it starts four a
    core, while Cloud Run lets in up to 80 callers: those without a thread wait inside, out of reach of other instances.
    The framework reads THREADS after it has loaded `main.py`."""
    os.environ["THREADS"] = str(CALLERS_AT_ONCE)


class ConfigurationError(Exception):
    """A deploy-time setting is missing or wrong. The message says which one and what it should be."""


@dataclass(frozen=True)
class Settings:
    """The settings of this process, checked. `emulated` tells that it runs in a local cloud."""

    project: str
    bucket: str
    openai_model: str
    openai_base_url: str
    openai_api_key: str
    openai_webhook_secret: str = ""
    anthropic_model: str = "claude-haiku-5-5"
    anthropic_base_url: str = "https://api.anthropic.com"
    anthropic_api_key: str = ""
    azure_model: str = "gpt-6-luna"
    azure_deployment: str = ""
    azure_base_url: str = ""
    azure_zone: str = "global"
    azure_api_key: str = ""
    stripe_base_url: str = "https://api.stripe.com"
    stripe_api_key: str = ""
    stripe_webhook_secret: str = ""
    revenuecat_base_url: str = "https://api.revenuecat.com"
    revenuecat_api_key: str = ""
    revenuecat_webhook_secret: str = ""
    alert_webhook_url: str = ""
    alert_webhook_secret: str = ""
    emulated: bool = False
    remote_config: bool = False
    enforce_app_check: bool = False
    check_revoked_tokens: bool = False
    operator_second_factor: bool = True
    daily_limit_micros_max: int = 100_000_000
    flag_ceilings: "Mapping[Flag, int]" = field(default_factory=lambda: _flag_ceilings(""))

    def model_of(self, provider: Provider) -> str:
        """Return a provider's model, by its name of `core.shared.providers`."""
        models = {Provider.ANTHROPIC: self.anthropic_model, Provider.AZURE: self.azure_model}
        return named(provider, models.get(provider, self.openai_model))

    def reaches(self, provider: Provider) -> bool:
        """Whether this deploy has what it takes to ask a provider."""
        needed = {
            Provider.ANTHROPIC: (self.anthropic_api_key,),
            Provider.AZURE: (self.azure_api_key, self.azure_base_url),
        }
        return all(needed.get(provider, ()))

    @property
    def asks_openai(self) -> bool:
        """Whether the provider is OpenAI itself, in whatever region, or its stand-in in a local cloud."""
        return self.emulated or is_openai(self.openai_base_url)

    def zone_of(self, provider: Provider) -> str | None:
        """Return the provider's region that the deploy has chosen, which can cost more; None for no choice."""
        if provider is Provider.AZURE:
            return self.azure_zone if self.azure_zone != "global" else None
        return openai_region(self.openai_base_url) if provider is Provider.OPENAI else None


def project() -> str:
    """Return the project that this process runs in, empty if the environment names none."""
    return os.environ.get("GCLOUD_PROJECT") or os.environ.get("GOOGLE_CLOUD_PROJECT") or ""


def load_settings() -> Settings:
    """Read and check the settings. Raises ConfigurationError for a missing or malformed one."""
    emulated = os.environ.get("FUNCTIONS_EMULATOR") == "true"
    settings = Settings(
        project=project(),
        bucket=_firebase_config().get("storageBucket") or f"{project()}.firebasestorage.app",
        openai_model=providers.OPENAI_MODEL.value,
        openai_base_url=providers.OPENAI_BASE_URL.value,
        openai_api_key=providers.OPENAI_API_KEY.value,
        openai_webhook_secret=OPENAI_WEBHOOK_SECRET.value,
        anthropic_model=providers.ANTHROPIC_MODEL.value,
        anthropic_base_url=providers.ANTHROPIC_BASE_URL.value,
        anthropic_api_key=_key(providers.ANTHROPIC_API_KEY),
        stripe_base_url=shop.STRIPE_BASE_URL.value,
        stripe_api_key=shop.STRIPE_API_KEY.value,
        stripe_webhook_secret=shop.STRIPE_WEBHOOK_SECRET.value,
        revenuecat_base_url=shop.REVENUECAT_BASE_URL.value,
        revenuecat_api_key=shop.REVENUECAT_API_KEY.value,
        revenuecat_webhook_secret=shop.REVENUECAT_WEBHOOK_SECRET.value,
        azure_model=providers.AZURE_MODEL.value,
        azure_deployment=providers.AZURE_DEPLOYMENT.value,
        azure_base_url=providers.AZURE_BASE_URL.value,
        azure_zone=providers.AZURE_ZONE.value,
        azure_api_key=_key(providers.AZURE_API_KEY),
        alert_webhook_url=ALERT_WEBHOOK_URL.value,
        alert_webhook_secret=ALERT_WEBHOOK_SECRET.value,
        remote_config=REMOTE_CONFIG.value,
        enforce_app_check=ENFORCE_APP_CHECK.value,
        check_revoked_tokens=CHECK_REVOKED_TOKENS.value,
        emulated=emulated,
        daily_limit_micros_max=DAILY_BUDGET_USD_MAX.value * 1_000_000,
        flag_ceilings=_flag_ceilings(FLAGS.value),
        operator_second_factor=OPERATOR_SECOND_FACTOR.value and not emulated,  # sign-ins in an emulator have none
    )
    if not settings.project:
        raise ConfigurationError("GCLOUD_PROJECT is not set; Firebase sets it in functions and emulators")
    if os.environ.get("FIREBASE_AUTH_EMULATOR_HOST") and not settings.emulated:
        # Under this variable the Admin SDK takes unsigned tokens: anybody could be anybody.
        raise ConfigurationError("FIREBASE_AUTH_EMULATOR_HOST is set, but this is no emulator; unset it")
    _require_sealed("OPENAI_BASE_URL", settings.openai_base_url, emulated=emulated)
    _require_sealed("ANTHROPIC_BASE_URL", settings.anthropic_base_url, emulated=emulated)
    _require_sealed("STRIPE_BASE_URL", settings.stripe_base_url, emulated=emulated)
    _require_sealed("REVENUECAT_BASE_URL", settings.revenuecat_base_url, emulated=emulated)
    if settings.azure_base_url:
        _require_sealed("AZURE_BASE_URL", settings.azure_base_url, emulated=emulated)
    if settings.alert_webhook_url:
        _require_sealed("ALERT_WEBHOOK_URL", settings.alert_webhook_url, emulated=emulated)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_API_KEY", "STRIPE_API_KEY", "REVENUECAT_API_KEY"):
        key = os.environ.get(name)  # functions that ask the provider nothing have none
        if key is not None and (not key or key.split() != [key]):
            # With such a key no call leaves the process, which would be known only after a photo was charged.
            raise ConfigurationError(
                f"{name} is empty, or holds a space or the end of a line; set it anew and deploy: "
                f"firebase functions:secrets:set {name}"
            )
    return settings


def _key(secret: params.SecretParam) -> str:
    return "" if secret.value == NO_KEY else secret.value


def _flag_ceilings(text: str) -> "Mapping[Flag, int]":
    from functions.core.rollouts.flags import ceilings  # noqa: PLC0415  (loads pydantic)

    try:
        return ceilings(text)
    except ValueError as error:
        raise ConfigurationError(f"FLAGS: {error}") from error


def _require_sealed(name: str, url: str, *, emulated: bool) -> None:
    if not is_sealed(url, emulated=emulated):  # the URL is not quoted: that of a chat's webhook is a secret
        raise ConfigurationError(
            f"{name} must begin with https://: what is sent there would be read on its way. http:// is taken in an "
            "emulator, and for 127.0.0.1, ::1 and localhost"
        )


def firebase_options() -> dict[str, Any]:
    """Return the options of the Firebase app: FIREBASE_CONFIG's, and the timeout for Messaging, Remote Config and token
    keys."""
    return {**_firebase_config(), "httpTimeout": FIREBASE_TIMEOUT_SECONDS}


def _firebase_config() -> dict[str, Any]:
    """What Firebase names in FIREBASE_CONFIG, which is JSON or the path of a JSON file."""
    config = os.environ.get("FIREBASE_CONFIG") or "{}"
    try:
        if not config.startswith("{"):
            config = Path(config).read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(config)
    except (OSError, ValueError) as error:
        raise ConfigurationError("FIREBASE_CONFIG must be JSON, or the path of a JSON file") from error
    return found
