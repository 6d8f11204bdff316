"""A shop in the local cloud: products with a price at Stripe's stand-in, open on the web."""

from collections.abc import Mapping
from typing import Any

from stripe import StripeClient

from functions.core.config.billing import BillingRules
from localcloud.cloud import LocalCloud


def priced(client: Any, products: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Make a price at Stripe for each of these products, of which `client` is the part `v1` of Stripe's; return them as
    the config has them. In the stores each goes by its name."""
    return [
        {"name": name, **each, "stripePrice": _price(client, each), "storeIds": [name]}
        for name, each in products.items()
    ]


def _price(client: Any, each: Mapping[str, Any]) -> str:
    product = client.products.create({"name": f"{each['tokens']} tokens"})
    params = {"product": product.id, "currency": "usd", "unit_amount": each["minor"]}
    recurring = {"recurring": {"interval": "month"}} if each.get("plan") else {}
    return str(client.prices.create({**params, **recurring}).id)


def open_shop(cloud: LocalCloud) -> None:
    """Sell the default products on this cloud's page."""
    assert cloud.stripe is not None  # noqa: S101  (ecolane_settings starts it)
    client = StripeClient("sk_test_any", base_addresses={"api": cloud.stripe.base_url}).v1
    listed = {each.name: each.as_json(include={"tokens", "plan", "minor"}) for each in BillingRules().products}
    billing = {"sellOn": ["web"], "returnUrl": f"{cloud.page_url}/", "products": priced(client, listed)}
    cloud.firestore_client().document("config/runtime").set({"billing": billing}, merge=True)
