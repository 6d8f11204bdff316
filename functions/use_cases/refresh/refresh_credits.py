"""`refresh_credits`: everybody's allowance, at everybody's own minute.

    read a page of wallets that are due ► decide ► one commit for all of them ► the next page

A commit that does not succeed is tried in smaller parts, down to the single user, so that one that is being spent from,
or is damaged, holds up nobody else. Who cannot be refreshed is tried again after 1, 2 and 4 minutes and then given up,
with a dead letter that says why. What was done is no longer due, so a run that dies, or has no time left, is resumed by
the next; and workers that overlap find each other's work done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from functions import log
from functions.adapters.firestore.refresh import DueWallet, StoreDownError
from functions.core.refresh import refresh
from functions.core.refresh.worker_shards import worker_of
from functions.core.shared.damage import DamagedDocument
from functions.core.shared.dead_letters import dead_letter
from functions.core.shared.time_limits import RUN_TIME
from functions.use_cases.shared.set_aside import report_damaged

if TYPE_CHECKING:
    from functions.core.config.runtime import RuntimeConfig
    from functions.core.wallet.accounts import Account
    from functions.core.wallet.ledger import Wallet
    from functions.wiring import Deps

PAGES_MAX = 10_000
"""Pages of one run: far more than its time allows, so that a fault of ours ends too."""

PART_USERS = 16
"""Users in a commit after one of a whole page did not succeed; after that it is one."""

Change = tuple[DueWallet, "Account"]


def refresh_credits(deps: Deps, job_name: str | None = None) -> dict[str, int]:
    """Run once, for the shards of the worker that `job_name` names; without one, for all.

    Returns the figures that are stored, too: users `seen`, `refreshed`, `skipped` (nothing to add, dormant, or somebody
    else was faster), `waiting` (for a release that knows their plan), `failed` and `givenUp`,
    `pages`, `durationMs`, and `lagSeconds`, how late the latest was.

    Raises:
        RuntimeError: the store failed and nothing was refreshed.
        ValueError: `job_name` names a worker that cannot be.
    """
    worker = worker_of(job_name)
    run = _Run(deps, worker.shards(refresh.SHARDS))
    try:
        run.go()
    except StoreDownError as trouble:
        log.error(log.Event.REFRESH_STOPPED, worker=str(worker), cause=str(trouble), **run.counts)
        if not run.counts["refreshed"] + run.counts["skipped"]:
            raise RuntimeError("the store failed before anything was refreshed") from trouble
    figures = run.figures()
    _store_figures(deps, str(worker), {**figures, "startedAt": run.started, "finishedAt": deps.clock()})
    report_damaged(deps, run.unknown, "Credited as soon as the config knows the plan, or admin set-plan mends it.")
    return figures


def _store_figures(deps: Deps, worker: str, figures: dict[str, Any]) -> None:
    try:
        deps.store.write_refresh_run(worker, figures)
    except StoreDownError as trouble:
        # The credits are what counts, and the log has the figures as well.
        log.warning(log.Event.REFRESH_FIGURES_LOST, cause=str(trouble))


class _Run:
    """One run, and its counts."""

    def __init__(self, deps: Deps, shards: list[int]) -> None:
        self._deps, self._shards = deps, shards
        self.unknown: list[DamagedDocument] = []
        self.started = deps.clock()
        self.counts = Counter(seen=0, refreshed=0, skipped=0, waiting=0, failed=0, givenUp=0, pages=0, lagSeconds=0)

    def figures(self) -> dict[str, int]:
        """Return the counts, with the time taken."""
        return {**self.counts, "durationMs": (self._deps.clock() - self.started) // timedelta(milliseconds=1)}

    def go(self) -> None:
        """Take page after page, until nobody is due or the time is up.

        Raises:
            StoreDownError: it has failed several times in a row; or had just now, and is not asked.
        """
        if not self._deps.store_breaker.admits():
            raise StoreDownError("it has just failed several times in a row")
        while self.counts["pages"] < PAGES_MAX and self._deps.clock() - self.started < RUN_TIME:
            if not self._take_page():
                return

    def _take_page(self) -> bool:
        """Refresh one page. False if nobody is due any more."""
        runtime = self._deps.runtime()
        limit = runtime.refresh.users_per_page
        try:
            page = self._deps.store.due_wallets(self._shards, self.started, limit)
        except StoreDownError as trouble:
            self._failed(trouble)
            return True
        if not page:
            self._succeeded()
            return False
        self.counts["pages"] += 1
        self.counts["seen"] += len(page)
        lag = (self.started - page[0].due_at) // timedelta(seconds=1)
        self.counts["lagSeconds"] = max(self.counts["lagSeconds"], lag)
        decided = [self._decided(due, runtime) for due in page]
        self._commit([change for change in decided if change is not None], runtime)
        return len(page) == limit

    def _decided(self, due: DueWallet, runtime: RuntimeConfig) -> Change | None:
        """Decide about one user. What goes wrong with it stays with it."""
        if due.wallet is None:
            self._user_failed(due, due.problem)
            return None
        try:
            account = refresh.refreshed(due.wallet, due.uid, runtime, self.started)
        except Exception as problem:  # noqa: BLE001  (whatever is in that document, the others get their turn)
            self._user_failed(due, problem)
            return None
        return (due, account) if account else None

    def _commit(self, changes: Sequence[Change], runtime: RuntimeConfig) -> None:
        """Write these users: all at once, or else in parts, or else one by one."""
        if not changes:
            return
        trouble: Exception | None = None
        try:
            done = self._deps.store.commit_refreshes(changes)
            self._succeeded()
        except StoreDownError as error:
            self._failed(error)
            done, trouble = False, error
        if done:
            for _, account in changes:
                self._count(account)
        elif len(changes) > 1:
            size = PART_USERS if len(changes) > PART_USERS else 1
            for start in range(0, len(changes), size):
                self._commit(changes[start : start + size], runtime)
        elif trouble:
            self._user_failed(changes[0][0], repr(trouble))
        else:
            self._refresh_alone(changes[0][0], runtime)

    def _refresh_alone(self, due: DueWallet, runtime: RuntimeConfig) -> None:
        """Refresh a user whose wallet has changed since it was read: it is read anew, and locked."""

        def decide(wallet: Wallet) -> Account | None:
            return refresh.refreshed(wallet, due.uid, runtime, self.started)

        try:
            self._count(self._deps.store.refresh_alone(due.uid, decide))
        except Exception as problem:  # noqa: BLE001  (as in `_decided`)
            self._user_failed(due, problem)

    def _count(self, account: Account | None) -> None:
        self.counts["refreshed" if account is not None and account.new_entries else "skipped"] += 1

    def _user_failed(self, due: DueWallet, trouble: str | Exception) -> None:
        """Put a user off, or give it up. One that has changed meanwhile is met again."""
        now, problem = self._deps.clock(), trouble if isinstance(trouble, str) else repr(trouble)
        failures, retry_at = due.failures + 1, refresh.retry_at(due.failures + 1, now)
        if isinstance(trouble, refresh.UnknownPlanError):
            self.unknown.append(DamagedDocument(due.path, "plan", str(trouble)))
            failures, retry_at = due.failures, now + refresh.UNKNOWN_PLAN_WAIT
        else:
            log.warning(log.Event.REFRESH_FAILED, uid=due.uid, failures=failures, cause=problem)
        self.counts["waiting" if isinstance(trouble, refresh.UnknownPlanError) else "failed"] += 1
        try:
            if retry_at is not None:
                self._deps.store.postpone_refresh(due, failures, retry_at)
            else:
                self._deps.store.give_up_refresh(due, dead_letter(due.path, due.uid, problem, now))
                self.counts["givenUp"] += 1
            self._succeeded()
        except StoreDownError as down:
            self._failed(down)

    def _failed(self, trouble: StoreDownError) -> None:
        """Count a failure of the store; the last one that is borne ends the run."""
        self._deps.store_breaker.note(failed=True)
        if self._deps.store_breaker.open:
            raise trouble

    def _succeeded(self) -> None:
        self._deps.store_breaker.note(failed=False)
