"""Looking photos up among those that their user has sent before.

    the user's entries, 1 read ► an entry like the photo ► its job, 1 read ► hit    the order's job is done
                               └ none                                      └ miss   the charge writes an entry

A file that waits for its answer already is named, by that job, and not paid for again: so are files alike in one call.
Photos that are only nearly alike are not, since an answer that is dangerous or unsure is for none but its own.

The jobs of all entries that a call has found are read together. A look-up that fails is a miss, for whatever reason:
nobody waits for it, and nobody pays for it. It comes before the charge, because it decides the price.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from functions import log
from functions.core.cache.checks import draw_of, is_checked
from functions.core.cache.entries import Entries, Entry, Remembered, evicted
from functions.core.cache.keys import Asked, family_of, key_of
from functions.core.cache.lookup import Miss, Tier, nearest, weigh
from functions.core.cache.shared import SharedPhoto, shared_photo
from functions.core.cache.state import chosen_of, near_tier
from functions.core.config.runtime import CacheMode
from functions.core.jobs.cached import (
    answered_again,
    answers_soon,
    at_the_cached_price,
    noted,
    rules_now,
    source_of,
)
from functions.core.jobs.jobs import JOB_LIFETIME, Status
from functions.core.shared.lanes import Lane
from functions.core.shared.utc_days import day_of
from functions.use_cases.cache.labels import asked_of

if TYPE_CHECKING:
    from functions.core.cache.lookup import Candidate
    from functions.core.jobs.jobs import Job
    from functions.use_cases.jobs.orders import Order
    from functions.wiring import Deps


def look_up(orders: Sequence[Order], uid: str, deps: Deps, *, fresh: bool) -> Remembered | None:
    """Look these orders' photos up among their user's, and among each other. An order of a hit has its job done, and
    one whose file waits already its `twin`; what is refused unless it is known, and is not, gets its error. Returns
    what the charge is to write besides, None if nothing."""
    now, rules = deps.clock(), deps.runtime().cache
    known = [order for order in orders if order.known is not None]
    if rules.exact is CacheMode.ON and not fresh:
        _compare(known)
    asked = [order for order in known if order.same_as is None]
    if not asked:
        return None
    entries: Entries = {}
    try:
        entries = deps.store.cache_entries(uid)
        alike = [(order, found) for order in asked if (found := _find(order, entries, deps))]
        jobs = deps.store.remembered_jobs(found.entry.job_id for _, found in alike)
        for order, found in alike:
            _answer(order, found, jobs.get(found.entry.job_id), deps, fresh=fresh)
        first = _first_seen(asked, deps) if rules.shared is CacheMode.SHADOW else []
    except Exception:  # noqa: BLE001  (whatever it is, the model can be asked)
        first = []
        log.warning(log.Event.CACHE_FAILED, stack_trace=traceback.format_exc())
    for order in asked:
        if order.job.status is not Status.DONE and order.waiting:
            order.error = order.unless_known
    new = [order.entry for order in asked if order.entry and order.waiting and order.job.status is not Status.DONE]
    if not new:
        return None
    oldest = (now - timedelta(days=rules.age_days_max)).date()
    return Remembered(new, evicted(entries, new, oldest), now + JOB_LIFETIME, first)


def _first_seen(orders: Sequence[Order], deps: Deps) -> list[SharedPhoto]:
    """Note on the sampled photos that are asked about whether somebody else has sent them, and return those that nobody
    has."""
    sampled = [
        (order, photo)
        for order in orders
        if order.entry and order.waiting and order.job.status is not Status.DONE
        if (photo := shared_photo(order.job.uid, order.entry.key, order.entry.photo.sha, deps.clock()))
    ]
    known = deps.store.shared_photos(photo.name for _, photo in sampled)
    for order, photo in sampled:
        order.job = order.job.model_copy(update={"shared": known.get(photo.name, photo.by) != photo.by})
    return [photo for _, photo in sampled if photo.name not in known]


def _compare(orders: Sequence[Order]) -> None:
    """Find the files that are alike in one call, which has one region and one language."""
    firsts: dict[bytes, Order] = {}
    for order in orders:
        if order.known is not None and (first := firsts.setdefault(order.known.sha, order)) is not order:
            order.same_as = first


def _find(order: Order, entries: Entries, deps: Deps) -> Candidate | None:
    """Return the entry that is like the order's photo; and note the one that the photo is to have itself."""
    job, photo = order.job, order.known
    if photo is None:
        return None
    key = key_of(_asked(order, deps))
    order.entry = Entry(key, job.job_id, deps.clock().date(), photo)
    # Its own entry is there if the call is repeated, which its job answers.
    return nearest(photo, key, [each for each in entries.values() if each.job_id != job.job_id])


def _asked(order: Order, deps: Deps) -> Asked:
    return asked_of(order.path, deps, order.job.region, order.job.language)


def _answer(order: Order, candidate: Candidate, found: Job | None, deps: Deps, *, fresh: bool) -> None:
    job, config, asked = order.job, deps.runtime(), _asked(order, deps)
    source, family = source_of(found, job, asked.way), family_of(asked)
    if source is None:
        same_file = candidate.tier is Tier.EXACT and config.cache.exact is CacheMode.ON and not fresh
        if same_file and answers_soon(found, job, Lane(job.mode) if order.allow_batch else order.asked.lane):
            order.twin = found
        return
    families = deps.current.get().cache.families
    serves = near_tier(families, family).serves
    why = weigh(candidate, source, rules_now(config.cache, serves, deps.clock()))
    if why not in {None, Miss.TIER_SERVES_NOTHING}:
        return
    if why is not None or fresh:
        order.job = job.model_copy(update={"cache": noted(candidate, source, family, served=False)})
        return
    chosen, now = chosen_of(families, family, candidate.tier), deps.clock()
    check_at = now if is_checked(chosen, day_of(now), draw_of(job.job_id)) else None
    note = noted(candidate, source, family, check_at, served=True)
    job = at_the_cached_price(job, config.tokens)
    order.job, order.closed_because = answered_again(job, source, note, order.asked.lane), None
