"""What a use case needs from outside, built once a process. Each part is imported when it is first used: a function
that only reads a wallet loads neither the OpenAI client nor the image library, and starts quickly."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, NoReturn

from functions.adapters.arm_breaker import ArmBreaker
from functions.adapters.breaker import Breaker
from functions.adapters.current_config import CurrentConfig
from functions.adapters.process_memory import Callers
from functions.core.budget.state import BudgetState
from functions.core.config.changes import REMOTE_KEYS
from functions.core.config.runtime import RuntimeConfig
from functions.core.jobs.queue_stats import QueueStats
from functions.core.shared.providers import Provider, split
from functions.deploy.params import ConfigurationError, Settings, load_settings

if TYPE_CHECKING:
    from functions.adapters.alerting import AlertWebhook
    from functions.adapters.firestore import FirestoreStore
    from functions.adapters.messaging import PushMessaging
    from functions.adapters.payments.revenuecat import RevenueCat
    from functions.adapters.payments.stripe import Stripe
    from functions.adapters.providers.watched import WatchedAnthropic, WatchedAzure, WatchedOpenAI
    from functions.adapters.storage import StorageFiles
    from functions.core.cache.fingerprints import Fingerprint
    from functions.core.config.runtime import ImageRules
    from functions.core.model.usage import ModelPrice

Clock = Callable[[], datetime]


class Deps:
    """The adapters, the clock and the settings of one process. Safe to share between threads."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings, self.clock, self.callers = settings, clock, Callers(clock)
        self.current = CurrentConfig(self, clock)
        self.store_breaker, self.arms = Breaker(clock), ArmBreaker()
        self.heard = dict[str, datetime]()  # by provider of payments, when this process stored that an event came
        self.told = set[str]()  # ids of alerts that this process has opened in a user's call

    @cached_property
    def store(self) -> FirestoreStore:
        """Firestore."""
        from functions.adapters.firestore import FirestoreStore, connected

        return FirestoreStore(connected(self.settings.project))

    @cached_property
    def files(self) -> StorageFiles:
        """Cloud Storage."""
        from functions.adapters.storage import StorageFiles, connected, emulated_url, signed_url

        sign = emulated_url if self.settings.emulated else signed_url
        return StorageFiles(connected(self.settings.project), self.settings.bucket, sign)

    @cached_property
    def provider(self) -> WatchedOpenAI:
        """OpenAI."""
        from functions.adapters.providers.openai import bounded_client
        from functions.adapters.providers.watched import WatchedOpenAI

        # The client wants a key even where it only checks a signature, in the webhook, which is given none.
        key = self.settings.openai_api_key or "none"
        return WatchedOpenAI(bounded_client(key, self.settings.openai_base_url), self)

    @cached_property
    def anthropic(self) -> WatchedAnthropic | None:
        """Anthropic; None in a deploy without its key."""
        if not self.settings.reaches(Provider.ANTHROPIC):
            return None
        from functions.adapters.bounded_http import provider_http
        from functions.adapters.providers.watched import WatchedAnthropic

        key, url = self.settings.anthropic_api_key, self.settings.anthropic_base_url
        return WatchedAnthropic(provider_http(), url, key, self)

    @cached_property
    def azure(self) -> WatchedAzure | None:
        """Azure's instant calls; None in a deploy without its key or address."""
        if not self.settings.reaches(Provider.AZURE):
            return None
        from functions.adapters.providers.openai import bounded_client
        from functions.adapters.providers.watched import WatchedAzure

        key, url = self.settings.azure_api_key, self.settings.azure_base_url
        deployment = self.settings.azure_deployment or self.settings.azure_model
        return WatchedAzure(bounded_client(key, url), deployment, self)

    def asked(self, model: str) -> WatchedOpenAI | WatchedAnthropic | WatchedAzure:
        """Return whom to ask about a photo for this model. Raises ProviderDownError if its key was taken away."""
        of_azure = split(model)[0] is Provider.AZURE
        return self.azure or self._no_key(Provider.AZURE) if of_azure else self.batches_at(model)

    def batches_at(self, model: str) -> WatchedOpenAI | WatchedAnthropic:
        """Return whom to ask about a batch of this model; see `asked`."""
        return self.provider if split(model)[0] is Provider.OPENAI else self.at_anthropic()

    def at_anthropic(self) -> WatchedAnthropic:
        """Return Anthropic; see `asked`."""
        return self.anthropic or self._no_key(Provider.ANTHROPIC)

    def _no_key(self, provider: Provider) -> NoReturn:
        from functions.core.model.provider_errors import Trouble
        from functions.core.model.refusals import ProviderDownError

        raise ProviderDownError(f"no key of {provider}'s", Trouble.CONFIGURATION, may_be_billed=False)

    @cached_property
    def stripe(self) -> Stripe | None:
        """Stripe; None in a deploy without its key."""
        if not self.settings.stripe_api_key:
            return None
        from functions.adapters.bounded_http import provider_http
        from functions.adapters.payments.stripe import Stripe

        return Stripe(provider_http(), self.settings.stripe_base_url, self.settings.stripe_api_key)

    @cached_property
    def revenuecat(self) -> RevenueCat | None:
        """RevenueCat; None in a deploy without its key."""
        if not self.settings.revenuecat_api_key:
            return None
        from functions.adapters.bounded_http import provider_http
        from functions.adapters.payments.revenuecat import RevenueCat

        return RevenueCat(provider_http(), self.settings.revenuecat_base_url, self.settings.revenuecat_api_key)

    @cached_property
    def messaging(self) -> PushMessaging:
        """Firebase Cloud Messaging."""
        from functions.adapters.messaging import PushMessaging

        return PushMessaging()

    @cached_property
    def alerting(self) -> AlertWebhook:
        """The operator's webhook."""
        from functions.adapters.alerting import AlertWebhook

        return AlertWebhook(self.settings.alert_webhook_url, self.settings.alert_webhook_secret, self.clock)

    def delete_sign_in(self, uid: str) -> None:
        """Remove a user's sign-in; see `adapters.identity.delete_sign_in`."""
        from functions.adapters.identity import delete_sign_in

        delete_sign_in(uid)

    def prepare_photo(self, data: bytes, rules: ImageRules) -> bytes:
        """Check a photo and make it small; see `adapters.images.prepare`."""
        from functions.adapters.images import prepare

        return prepare(data, rules.side_max, rules.jpeg_quality)

    def recognise_photo(self, data: bytes, rules: ImageRules) -> tuple[bytes, Fingerprint]:
        """Do the same, and return what the photo is known again by; see `adapters.images.prepare_known`."""
        from functions.adapters.images import prepare_known

        return prepare_known(data, rules.side_max, rules.jpeg_quality)

    def listed_price(self, name: str, at: datetime, *, batch: bool) -> ModelPrice:
        """Return what the price library has for a model where the deploy asks it; see `adapters.prices.model_price`."""
        from functions.adapters.prices import model_price

        return model_price(name, at, batch=batch, zone=self.settings.zone_of(split(name)[0]))

    def model_price(self, model: str | None = None, *, batch: bool = False, at: datetime | None = None) -> ModelPrice:
        """Return the price of a model in a lane, or of the one that is asked now, today or as it was `at` a time; see
        `adapters.prices.price_in_force`."""
        from functions.adapters.prices import price_in_force

        name, overrides = model or self.settings.openai_model, self.runtime().model.prices
        zone = self.settings.zone_of(split(name)[0])
        return price_in_force(overrides, name, at or self.clock(), batch=batch, zone=zone)

    def price_to_hold(self, model: str | None = None, *, batch: bool = False) -> ModelPrice:
        """Return the higher of today's and tomorrow's price: a call that is held today may end tomorrow."""
        from functions.core.model.prices import dearest

        now = self.clock()
        return dearest(*(self.model_price(model, batch=batch, at=at) for at in (now, now + timedelta(days=1))))

    def safety_identifier(self, uid: str, provider: Provider = Provider.OPENAI) -> str | None:
        """Return what the provider knows a user by; None where a server may not know the field."""
        from functions.core.model.prompts import safety_identifier

        known = provider is Provider.ANTHROPIC or (provider is Provider.OPENAI and self.settings.asks_openai)
        return safety_identifier(self.settings.project, uid) if known else None

    def new_id(self) -> str:
        """Return a new random id."""
        return uuid.uuid4().hex

    def runtime(self) -> RuntimeConfig:
        """Return the runtime config, at most 30 s old, or a minute while another thread reads it anew: three reads,
        shared with `queue` and `budget`. Faults in a document are reported, and cost their field: see
        `core.config.in_force`."""
        return self.current.get().config

    def queue(self) -> QueueStats:
        """Return the state of the batch queue as the last submitter saw it, as old as `runtime`."""
        return self.current.get().queue

    def budget(self) -> BudgetState:
        """Return the state of the budget as the last guard saw it, as old as `runtime`."""
        return self.current.get().budget

    def remote_values(self) -> dict[str, str]:
        """Fetch what is set in Remote Config; see `adapters.remote_config`."""
        from functions.adapters.remote_config import remote_values

        return remote_values(REMOTE_KEYS)


_clock: Clock = lambda: datetime.now(UTC)  # noqa: E731  (a value that install_clock replaces, not a function of ours)


def install_clock(clock: Clock) -> None:
    """Use another clock than the machine's, and check the settings. The local cloud calls it before the first
    request."""
    global _clock  # noqa: PLW0603  (set once, at start-up)
    _clock = clock
    deps.cache_clear()
    deps()


@cache
def deps() -> Deps:
    """Return this process's dependencies, first of all in every call. Raises ConfigurationError for a missing or wrong
    setting, or a model without a price."""
    from functions.core.model.usage import UnknownPriceError

    built = Deps(load_settings(), _clock)
    both, instant_only = (False, True), (False,)  # lanes, as `batch`
    asked = {Provider.OPENAI: both, Provider.ANTHROPIC: both, Provider.AZURE: instant_only}
    for provider, lanes in asked.items():
        if not built.settings.reaches(provider):
            continue
        try:
            for batch in lanes:  # as listed: an operator's price would take a read of the config
                built.listed_price(built.settings.model_of(provider), built.clock(), batch=batch)
        except UnknownPriceError as unknown:
            raise ConfigurationError(f"{provider.upper()}_MODEL: {unknown}") from unknown
    return built
