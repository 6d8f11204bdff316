"""Money in the smallest unit of its currency, as Stripe counts it."""

import re

_NO_MINOR_UNIT = re.compile("bif|clp|djf|gnf|jpy|kmf|krw|mga|pyg|rwf|ugx|vnd|vuv|xaf|xof|xpf")
"""Currencies without cents."""


def minor_units(currency: str) -> int:
    """Return how many of its smallest units a currency's unit has."""
    return 1 if _NO_MINOR_UNIT.fullmatch(currency.lower()) else 100


def said(minor: int, currency: str) -> str:
    """Return an amount as text."""
    units = minor_units(currency)
    return f"{minor / units:,.{2 if units > 1 else 0}f} {currency}"
