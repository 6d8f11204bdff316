"""A stand-in for RevenueCat: purchases in the stores as its REST API tells them, and its webhook."""

from localcloud.revenuecat.standin import RevenueCatStandIn

__all__ = ["RevenueCatStandIn"]
