"""What is sold, where, and on which terms."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from functions.core.config.plans import Plan
from functions.core.shared.records import Form, Record, Uid


class Place(StrEnum):
    """Where something is sold: on the web by Stripe, in an app by its store."""

    WEB = "web"
    IOS = "ios"
    ANDROID = "android"


ProductName = Annotated[str, Form(r"[a-z0-9_]{1,32}", "must be 1 to 32 small letters, digits and _")]


class Product(Record):
    """A pack of `tokens`, or a `plan`, each of whose paid periods brings them. `minor`: its price in the minor units of
    its currency, as it is shown; what is paid is up to the seller's own price: the one at Stripe, and the product of
    the stores, or of RevenueCat, by these ids."""

    name: ProductName
    tokens: Annotated[int, Field(ge=0, le=100_000)]
    plan: Plan | None = None
    minor: Annotated[int, Field(ge=50, le=1_000_000)]
    currency: Annotated[str, Form("[a-z]{3}", "must be a currency's three small letters")] = "usd"
    stripe_price: Annotated[str, Form("price_[A-Za-z0-9_]{1,64}", "must be the id of a price at Stripe")] | None = None
    store_ids: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=128)], ...], Field(max_length=8)] = ()

    @property
    def on_sale(self) -> bool:
        """Whether anybody sells it: Stripe, or a store."""
        return self.stripe_price is not None or bool(self.store_ids)

    @model_validator(mode="after")
    def _brings_something(self) -> "Product":
        if self.plan is Plan.FREE or (self.plan is None and not self.tokens):
            raise ValueError("a product is a pack of tokens, or a plan that is not free")
        return self


_PACKS = (("tokens_25", 25, 199), ("tokens_100", 100, 499), ("tokens_500", 500, 1_999))
_PLANS = (
    ("plus_month", 30, Plan.PLUS, 499),
    ("pro_month", 100, Plan.PRO, 899),
    ("business_month", 0, Plan.BUSINESS, 2_900),
)


class PayPerUseRules(Record):
    """Automatic packs: what a token costs in them (`minor`), what a pack costs, and the highest cap of a month that a
    user may set."""

    minor: Annotated[int, Field(ge=1, le=1_000)] = 5
    minimum_minor: Annotated[int, Field(ge=50, le=100_000)] = 200
    monthly_max_minor: Annotated[int, Field(ge=0, le=1_000_000)] = 5_000
    currency: Annotated[str, Form("[a-z]{3}", "must be a currency's three small letters")] = "usd"

    @model_validator(mode="after")
    def _brings_something(self) -> "PayPerUseRules":
        if self.minor > self.minimum_minor:
            raise ValueError("a pack of minimumMinor must bring at least one token at minor")
        return self

    @property
    def tokens(self) -> int:
        """Tokens of a pack."""
        return self.minimum_minor // self.minor


class BillingRules(Record):
    """What is sold, and where: nowhere, unless `sell_on` names it. What was paid is credited in any case. Stripe sends
    buyers back to the page `return_url`.

    `grace_days`: how long a plan outlasts its paid period while the provider still collects. `sandbox_uids` get what
    they buy in a store's test system, up to so many tokens each: the stores' reviewers.
    """

    sell_on: Annotated[tuple[Place, ...], Field(max_length=3)] = ()
    return_url: Annotated[str, Form(r"https?://[!-~]{1,200}", "must be the address of a page")] = "https://localhost"
    grace_days: Annotated[int, Field(ge=0, le=30)] = 7
    products: Annotated[tuple[Product, ...], Field(max_length=30)] = (
        *(Product(name=name, tokens=tokens, minor=minor) for name, tokens, minor in _PACKS),
        *(Product(name=name, tokens=tokens, plan=plan, minor=minor) for name, tokens, plan, minor in _PLANS),
    )
    sandbox_uids: Annotated[tuple[Uid, ...], Field(max_length=20)] = ()
    pay_per_use: PayPerUseRules = PayPerUseRules()
    sandbox_tokens_max: Annotated[int, Field(ge=0, le=10_000)] = 500

    @model_validator(mode="after")
    def _each_once(self) -> "BillingRules":
        names = [each.name for each in self.products]
        sold = [each.stripe_price for each in self.products if each.stripe_price]
        sold += [store_id for each in self.products for store_id in each.store_ids]
        if len(set(names)) < len(names) or len(set(sold)) < len(sold):
            raise ValueError("two products have one name, or are sold as one: nobody could tell what was bought")
        return self

    @property
    def sells_packs(self) -> bool:
        """Whether automatic packs are sold."""
        return Place.WEB in self.sell_on and self.pay_per_use.monthly_max_minor > 0

    def product(self, name: str) -> Product | None:
        """Return the product of this name."""
        return next((each for each in self.products if each.name == name), None)

    def sold_as(self, seller_id: str) -> Product | None:
        """Return the product that is sold under this id: a price at Stripe, or a product of a store."""
        return next((each for each in self.products if seller_id in {each.stripe_price, *each.store_ids}), None)
