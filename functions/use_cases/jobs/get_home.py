"""`get_home`: what an app's first screen needs, in one call. Each part is made by itself: one that fails is an error in
its own place, and the screen shows the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field

from functions.core.jobs.jobs import FINAL, job_view
from functions.core.shared.records import Request
from functions.core.shared.utc_days import day_of
from functions.use_cases.jobs.quoting import quoted
from functions.use_cases.payments.shown import shown_billing
from functions.use_cases.wallet.shown import contacted, shown_wallet

if TYPE_CHECKING:
    from functions.core.wallet.ledger import Wallet
    from functions.wiring import Deps

T = TypeVar("T")

Part = Literal["balance", "quote", "jobs", "purchases", "messages"]

NEWEST_JOBS = 20


class GetHome(Request):
    """Which parts; all of them if none are named."""

    parts: Annotated[list[Part], Field(min_length=1, max_length=10)] | None = None


def get_home(request: GetHome, uid: str, deps: Deps) -> Mapping[str, Callable[[], Any]]:
    """Return what makes each part: `balance` as `get_wallet` shows it; `quote`; the `jobs` among the newest 20 that are
    not over; `purchases` as `get_billing` shows them; and `messages`, each with its `code`. The wallet is read once
    for all of them."""

    wallet = _once(lambda: contacted(uid, deps))
    prices = _once(lambda: quoted(wallet(), uid, deps))
    made: Mapping[Part, Callable[[], Any]] = {
        "balance": lambda: shown_wallet(wallet(), deps),
        "quote": prices,
        "jobs": lambda: _open_jobs(uid, deps),
        "purchases": lambda: shown_billing(deps.store.look_at_billing(uid).billing, wallet(), deps),
        "messages": lambda: _messages(wallet(), prices(), deps),
    }
    return {name: made[name] for name in request.parts or made}


def _once(make: Callable[[], T]) -> Callable[[], T]:
    """Return what makes it once, or fails once: what is not there for one part is not waited for again by the next."""
    made: list[T | Exception] = []

    def kept() -> T:
        if not made:
            try:
                made.append(make())
            except Exception as error:  # noqa: BLE001  (it is raised for each part that needs this)
                made.append(error)
        if isinstance(made[0], Exception):
            raise made[0]
        return made[0]

    return kept


def _open_jobs(uid: str, deps: Deps) -> list[dict[str, Any]]:
    newest = deps.store.list_jobs(uid, None, NEWEST_JOBS)
    return [job_view(stored.job) for stored in newest if stored.job.status not in FINAL]


def _messages(wallet: Wallet, prices: dict[str, Any], deps: Deps) -> list[dict[str, Any]]:
    """Return what the user is told without asking, the most important first."""
    found: list[dict[str, Any]] = []
    if prices["batch"]["pausedUntil"] is not None:
        found.append({"code": "paused", "until": prices["batch"]["pausedUntil"]})
    elif not prices["instant"]["open"]:
        found.append({"code": "instantClosed", "until": prices["instant"]["opensAt"]})
    if prices["balance"] < prices["batch"]["price"] and not prices["unlimited"]:
        found.append({"code": "noTokens", "until": wallet.as_json(include={"next_refresh_at"})["nextRefreshAt"]})
    if wallet.bonus_day < day_of(deps.clock()):
        found.append({"code": "bonusWaits", "until": None})
    return found
