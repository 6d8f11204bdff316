"""Taking photos of bulk jobs on, a page at a time: as many as there is room for in the queue, and money."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from functions.core.bulk.bulks import LEASE, PAGE, Bulk, BulkState, Waiting
from functions.core.bulk.changes import LOOK_SOON, Seen, Terms, given_back, page, put_off
from functions.core.bulk.pacing import AFTER_FILL, Room, affordable, closed
from functions.core.shared.utc_days import day_of
from functions.core.wallet.quotas import RecountNeeded
from functions.use_cases.budget.days import line_micros
from functions.use_cases.budget.spending import least_ceiling, mode, next_try
from functions.use_cases.bulk.photos import read_page
from functions.use_cases.jobs.orders import wait_minutes

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from functions.core.budget.holds import CostCeiling
    from functions.wiring import Deps

BUDGET_WAIT = timedelta(minutes=15)
"""As often as the guard looks at the budget."""

QUEUE_COUNTED_MAX = 100_000


class Taking:
    """What one run takes on."""

    def __init__(self, deps: Deps, counts: Counter[str]) -> None:
        self._deps, self._counts, self._run = deps, counts, deps.new_id()
        self._lists: dict[str, list[str]] = {}
        self._room: Room | None = None
        self._filled: set[str] = set()

    def take_on(self, bulk: Bulk) -> Bulk | None:
        """Take the next photos on. Returns the bulk job if there may be more to do in this run."""
        deps, now = self._deps, self._deps.clock()
        if now > bulk.deadline:
            return deps.store.change_bulk(bulk, lambda w, found: given_back(w, found, BulkState.WORKING, now))
        if why := closed(mode(deps), any_time=bulk.any_time):
            return self.put_off(bulk, why, BUDGET_WAIT)
        photos = min(self._room_now().photos(any_time=bulk.any_time), PAGE, bulk.count - bulk.taken)
        if photos <= 0:
            wait = AFTER_FILL if bulk.bulk_id in self._filled else BUDGET_WAIT
            return self.put_off(bulk, Waiting.QUEUE, wait if bulk.any_time else LOOK_SOON)
        paths = self._list_of(bulk)[bulk.taken : bulk.taken + photos]
        return self._take(bulk, read_page(paths, deps))

    def put_off(self, bulk: Bulk, why: str | None, wait: timedelta) -> Bulk | None:
        """Look at a bulk job again after so long. Returns it if that is now: its user has cancelled it meanwhile."""
        until = self._deps.clock() + wait
        changed = self._deps.store.change_bulk(bulk, lambda _, found: put_off(found, why, until))
        return changed if changed and changed.state != BulkState.TAKING else None

    def _take(self, bulk: Bulk, photos: Sequence[Seen]) -> Bulk | None:
        deps, now, ceiling = self._deps, self._deps.clock(), least_ceiling(self._deps)
        wait = timedelta(minutes=wait_minutes(deps))
        while True:
            terms = Terms(ceiling, wait, self._run, now + LEASE)
            decide = partial(page, photos=photos, terms=terms, runtime=deps.runtime(), now=now)
            changed = deps.store.change_bulk(bulk, decide)
            if not isinstance(changed, RecountNeeded):
                return self._note(bulk, changed)
            tried: CostCeiling | Exception = next_try(ceiling, bulk.uid, changed, deps)
            if isinstance(tried, Exception):  # other calls of the same user were faster each time
                return self.put_off(bulk, Waiting.LIMIT, LOOK_SOON)
            ceiling = tried

    def _note(self, before: Bulk, after: Bulk | None) -> Bulk | None:
        if after is None:
            return None
        photos = after.taken - before.taken
        if photos > 0:
            self._counts["taken"] += photos
            self._room_now().take(photos)
            self._filled.add(after.bulk_id)
        return after if after.waiting is None and after.due_at is not None else None

    def _room_now(self) -> Room:
        """Return what there is room for in this run. A read for the day's book and one for each thousand that are
        queued."""
        if self._room is None:
            deps, now = self._deps, self._deps.clock()
            queued, day = deps.store.count_queued(QUEUE_COUNTED_MAX), day_of(now)
            book, percent = deps.store.budget_days(day, day).get(day), deps.runtime().bulk.fill_percent
            spare = affordable(book, percent, queued, line_micros(deps), now) if book else 0
            self._room = Room(queued, spare, deps.runtime())
        return self._room

    def _list_of(self, bulk: Bulk) -> list[str]:
        if bulk.bulk_id not in self._lists:
            self._lists[bulk.bulk_id] = self._deps.files.read_list(bulk.uid, bulk.bulk_id, bulk.listed)
        return self._lists[bulk.bulk_id]
