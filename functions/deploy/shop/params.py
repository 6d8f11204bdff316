"""Params and secrets of whoever sells something. `functions.deploy.params` checks them with all others."""

import os
from dataclasses import dataclass

from firebase_functions import params

NO_KEY = "none"
"""The value of a secret that a deploy does not use: Secret Manager keeps no empty one."""

SELLS = params.StringParam(
    "SELLS",
    default="off",
    description="Whether something is sold: with off, no function, secret or cron of payments is deployed.",
    input=params.SelectInput([params.SelectOption("off"), params.SelectOption("on")]),
)
STRIPE_BASE_URL = params.StringParam(
    "STRIPE_BASE_URL", default="https://api.stripe.com", description="Stripe, or a stand-in for it."
)
REVENUECAT_BASE_URL = params.StringParam(
    "REVENUECAT_BASE_URL", default="https://api.revenuecat.com", description="RevenueCat, or a stand-in for it."
)


@dataclass(frozen=True)
class ShopSecret:
    """A secret of functions that are left out with SELLS=off. A `SecretParam` would be asked for all the same."""

    name: str

    @property
    def value(self) -> str:
        """Its value; empty in functions that have no such secret, and for NO_KEY."""
        value = os.environ.get(self.name, "")
        return "" if value == NO_KEY else value


STRIPE_API_KEY, STRIPE_WEBHOOK_SECRET = ShopSecret("STRIPE_API_KEY"), ShopSecret("STRIPE_WEBHOOK_SECRET")
REVENUECAT_API_KEY = ShopSecret("REVENUECAT_API_KEY")
REVENUECAT_WEBHOOK_SECRET = ShopSecret("REVENUECAT_WEBHOOK_SECRET")
