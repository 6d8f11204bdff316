"""Functions of whoever sells something: with SELLS=off a deploy has none of them, none of their secrets and no cron.

The Firebase CLI leaves out what its manifest says to `omit`, a condition on params. firebase-functions does not know
the field, so the endpoint is told anew, with it.
"""

from dataclasses import dataclass, fields
from typing import Any, TypeVar

from firebase_functions.params import Expression
from firebase_functions.private.manifest import ManifestEndpoint

from functions.deploy.shop import params

F = TypeVar("F")


@dataclass(frozen=True)
class _SoldEndpoint(ManifestEndpoint):
    omit: Expression[bool] | None = None


def with_secret_names(given: dict[str, Any]) -> dict[str, Any]:
    """Return a function's options as firebase-functions takes them: a shop's secrets by their names, because a
    `SecretParam` would be asked for in every deploy."""
    names = [each.name if isinstance(each, params.ShopSecret) else each for each in given.get("secrets", [])]
    return {**given, "secrets": names}


def left_out_unless_sold(declared: F, *, sells: bool) -> F:
    """Have a declared function left out of a deploy with SELLS=off, if it `sells`."""
    if sells:
        endpoint: Any = declared.__firebase_endpoint__  # type: ignore[attr-defined]
        known = {each.name: getattr(endpoint, each.name) for each in fields(endpoint)}
        declared.__firebase_endpoint__ = _SoldEndpoint(**known, omit=params.SELLS.equals("off"))  # type: ignore[attr-defined]
    return declared
