"""What callers of purchases can be told beside `core.shared.errors`, in whose tree these stand."""

from functions.core.shared.errors import EcolaneError


class PurchaseNotHere(EcolaneError):
    """The product is not sold on the web, or nothing is. Detail: `sellOn`, where something is sold."""

    reason = "PURCHASE_NOT_HERE"


class UnknownProduct(EcolaneError):
    """There is no such product. Detail: `product`."""

    reason = "UNKNOWN_PRODUCT"


class AlreadySubscribed(EcolaneError):
    """The user pays for a plan, and would pay for two. Details: `plan`, and `seller`, who sold it."""

    reason = "ALREADY_SUBSCRIBED"


class NothingBought(EcolaneError):
    """The user has bought nothing that could be managed anywhere."""

    reason = "NOTHING_BOUGHT"


class PaymentMethodNeeded(EcolaneError):
    """Nothing can be bought by itself: no payment method of the user is saved at Stripe."""

    reason = "PAYMENT_METHOD_NEEDED"


class SpendingLimit(EcolaneError):
    """The user's own cap of automatic packs leaves no room for another one this month. Details: `monthMaxMinor`,
    `spentMinor`, `currency`, and `resetsAt`, ISO 8601 in UTC."""

    reason = "SPENDING_LIMIT"


class BillingUnavailable(EcolaneError):
    """The payment provider gave no usable answer. Nothing is lost: what was paid is credited. Detail: `retryAfter`, in
    seconds."""

    reason = "BILLING_UNAVAILABLE"
