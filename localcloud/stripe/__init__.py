"""A stand-in for the Stripe API that the real `stripe` client talks to: checkout, subscriptions, refunds, disputes."""

from localcloud.stripe.standin import StripeStandIn

__all__ = ["StripeStandIn"]
