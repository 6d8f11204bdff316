"""The refresh schedule: wallets that are due, many of them in one commit, and its figures.

Wallet and entry of a user stay together because a commit is all or nothing, and nobody's spending is overwritten
because each wallet is written under the `update_time` that it was read with. So a page of users costs one call, and a
commit that is refused tells that one of its users has changed; the caller finds out which by committing fewer.

Calls are not repeated here, and by the client neither: the caller counts failures, and stops before it does harm.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.api_core import exceptions
from pydantic import ValidationError

from functions.adapters.firestore.dead_letters import DeadLetterDocuments
from functions.adapters.firestore.transactions import Transaction, Writes
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.wallet import WalletDocuments, open_or_none
from functions.adapters.firestore.writes import run_transaction
from functions.core.shared.dead_letters import DeadLetter
from functions.core.shared.records import Fields, problems
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet

REFUSALS = (
    exceptions.FailedPrecondition,
    exceptions.AlreadyExists,
    exceptions.NotFound,
    exceptions.Aborted,
    exceptions.InvalidArgument,
)
"""What a commit can be answered because of what it writes. Everything else is the store's own trouble."""


class StoreDownError(Exception):
    """Firestore did not do its work, for a reason that lies with none of the documents."""


@dataclass(frozen=True)
class DueWallet:
    """A wallet that is due, as read. `wallet` is None if the document is none, and `problem` then says why.

    `failures` are the attempts at it that have failed so far, `version` guards the next write.
    """

    path: str
    uid: str
    wallet: Wallet | None
    problem: str
    failures: int
    due_at: datetime
    version: datetime


class RefreshDocuments(WalletDocuments, DeadLetterDocuments):
    """Reads and writes of the refresh schedule."""

    def due_wallets(self, shards: Sequence[int], now: datetime, limit: int) -> list[DueWallet]:
        """Read the wallets of these shards that are due, longest due first. A read each, one if there are none.

        Raises:
            StoreDownError: Firestore did not answer.
        """
        query = (
            self._client.collection_group("wallet")
            .where("refreshShard", "in", list(shards))
            .where("nextRefreshAt", "<=", now)
            .order_by("nextRefreshAt")
            .limit(limit)
        )
        with _trouble_named():
            return [_due(snapshot) for snapshot in query.stream(once=True)]

    def commit_refreshes(self, changes: Sequence[tuple[DueWallet, Account]]) -> bool:
        """Write these wallets and their new entries, all of them or, if one is not as it was read, none: False.

        Raises:
            StoreDownError: Firestore did not answer; all are written, or none.
        """
        writes = self._client.batch()
        for due, account in changes:
            writes.update(due.path, _changes(due.wallet, account.wallet), due.version)
            self._write_entries(writes, due.uid, account)
        return _committed(writes)

    def refresh_alone(self, uid: str, decide: Callable[[Wallet], Account | None]) -> Account | None:
        """Read one wallet anew and write what `decide` makes of it, in a transaction; None if there is nothing to do.

        For a wallet that others are changing: it waits its turn. One read more than in a page.
        """

        def body(transaction: Transaction) -> Account | None:
            wallet = open_or_none(self._client.get(self._wallet_ref(uid), transaction))
            account = decide(wallet) if wallet else None
            if account is not None:
                self._write_account(transaction, uid, account)
            return account

        return run_transaction(self._client.transaction(), body)

    def postpone_refresh(self, due: DueWallet, failures: int, retry_at: datetime) -> bool:
        """Note a failed attempt, whatever else is in the document. One write; False if it has changed since."""
        fields = {"refreshFailures": failures, "nextRefreshAt": retry_at}
        return _committed(self._client.batch().update(due.path, fields, due.version))

    def give_up_refresh(self, due: DueWallet, letter: DeadLetter) -> bool:
        """Take a wallet off the schedule and leave a dead letter about it. Two writes; False if it has changed."""
        fields = {"refreshFailures": 0, "nextRefreshAt": None}
        return _committed(self._leave(letter, self._client.batch().update(due.path, fields, due.version)))

    def write_refresh_run(self, worker: str, figures: Fields) -> None:
        """Store what a worker's last run came to. One write."""
        with _trouble_named():
            run = {"workers": {worker: dict(figures)}}
            self._client.batch().merge(self._client.document("stats/refresh"), run).commit(once=True)


@contextmanager
def _trouble_named() -> Iterator[None]:
    try:
        yield
    except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
        raise StoreDownError(str(error)) from error


def _committed(writes: Writes) -> bool:
    """Commit all or nothing. False if it was refused for what it writes."""
    with _trouble_named():
        try:
            writes.commit(once=True)
        except REFUSALS:
            return False
    return True


def _changes(before: Wallet | None, after: Wallet) -> dict[str, Any]:
    """The stored fields that differ: a wallet is mostly history, and that stays as it is for most."""
    changed = {name for name in Wallet.model_fields if before is None or getattr(before, name) != getattr(after, name)}
    return after.model_dump(by_alias=True, include=changed)


def _due(snapshot: Snapshot) -> DueWallet:
    """Read a document of the schedule. It is found by two fields; all others may be missing or of another type."""
    data = snapshot.fields
    wallet, problem = None, ""
    path = snapshot.path
    collection, uid, *rest = path.split("/")
    if (collection, rest) != ("users", ["wallet", "main"]):
        problem = "not the path of a wallet"
    else:
        try:
            wallet = Wallet.model_validate(data)
        except ValidationError as error:
            problem = "; ".join(": ".join(each) for each in problems(error))
    failures = data.get("refreshFailures")
    return DueWallet(
        path=path,
        uid=uid,
        wallet=wallet,
        problem=problem,
        failures=failures if isinstance(failures, int) and failures > 0 else 0,
        due_at=data["nextRefreshAt"],
        version=snapshot.update_time,
    )
