"""The leaderboard: `leaderboards/{board}`, and who takes part: those wallets that have a standing."""

from collections.abc import Callable
from datetime import datetime

from functions.adapters.firestore.query import DESCENDING, Query
from functions.adapters.firestore.reading import all_sound, sound_fields
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.wallet import WalletDocuments
from functions.adapters.firestore.writes import OUTCOME_UNKNOWN, run_transaction
from functions.core.leaderboard.ranks import TOP, Counts, Leaders, Range, Row
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet
from functions.core.wallet.standing import Board, Standing

USERS_MAX = 100_000_000
"""That are counted; one read for every thousand."""


class LeaderboardDocuments(WalletDocuments):
    """Reads and writes of boards. A name that its user takes back is off them in the same commit."""

    def change_standing(self, uid: str, decide: Callable[[Wallet | None], Account | None]) -> Wallet | None:
        """Store what `decide` makes of a wallet's standing, in one transaction: four reads, a write for the wallet and
        for each board that the user is on; none if that is None. Returns the wallet as it is then."""

        def body(transaction: Transaction) -> Wallet | None:
            wallet = self._wallet_in(transaction, uid)
            account = decide(wallet)
            if account is None:
                return wallet
            self._rename(transaction, uid, account.wallet.standing)
            self._write_account(transaction, uid, account)
            return account.wallet

        try:
            return run_transaction(self._client.transaction(), body)
        except OUTCOME_UNKNOWN:
            wallet = self.get_wallet(uid)
            if decide(wallet) is not None:
                raise
            return wallet  # it was done, and its reply was lost

    def leaders(self, board: Board) -> Leaders:
        """Read a board. One read."""
        return sound_fields(Leaders, self._client.get(self._board_ref(board)))[0]

    def write_top(self, board: Board, period: str, shown: Callable[[str], bool], now: datetime) -> Leaders:
        """Read and store the first hundred of a board, in one transaction, so that nobody is on it who leaves
        meanwhile: a read for each and one more, and a write. A name that is not `shown` is left empty."""

        def body(transaction: Transaction) -> Leaders:
            before = sound_fields(Leaders, self._client.get(self._board_ref(board), transaction))[0]
            rows = [
                Row(uid=uid, name=each.name if shown(each.name) else "", points=each.score(board).points)
                for uid, each in self._first(board, period, transaction)
            ]
            leaders = before.model_copy(update={"period": period, "at": now, "top": tuple(rows)})
            fields = leaders.model_dump(by_alias=True, include={"period", "at", "top"})
            transaction.put(self._board_ref(board), fields)
            return leaders

        return run_transaction(self._client.transaction(), body)

    def count_ranked(self, board: Board, period: str, points: Range) -> int:
        """Count those with points in this range. One read for every thousand, at least one."""
        return self._ranked(board, period, points).limit(USERS_MAX).count()

    def write_counts(self, board: Board, counts: Counts) -> None:
        """Store the counts of a board, beside its top. One write."""
        self._client.batch().put(self._board_ref(board), {"counts": counts.model_dump(by_alias=True)}).commit()

    def _rename(self, transaction: Transaction, uid: str, standing: Standing | None) -> None:
        """Write a user's name, or its absence, into the boards that the user is on. Three reads."""
        refs = [self._board_ref(board) for board in Board]
        for snapshot in self._client.get_all(refs, transaction):
            before = sound_fields(Leaders, snapshot)[0].top
            after = [
                row.model_copy(update={"name": standing.name}) if standing and row.uid == uid else row
                for row in before
                if standing or row.uid != uid
            ]
            if tuple(after) != before:
                transaction.update(snapshot.path, {"top": [row.model_dump(by_alias=True) for row in after]})

    def _first(self, board: Board, period: str, transaction: Transaction) -> list[tuple[str, Standing]]:
        """Read the first hundred, by their users. One that cannot be read is left out."""
        query = self._ranked(board, period, (1, None)).limit(TOP).select(["standing"])
        return all_sound(query.stream(transaction), _as_standing)

    def _ranked(self, board: Board, period: str, points: Range) -> Query:
        least, below = points
        score = f"standing.{board}"
        wallets = self._client.collection_group("wallet").where(f"{score}.period", "==", period)
        ranked = wallets.where(f"{score}.points", ">=", least)
        ranked = ranked if below is None else ranked.where(f"{score}.points", "<", below)
        return ranked.order_by(f"{score}.points", DESCENDING)

    def _board_ref(self, board: Board) -> str:
        return self._client.document("leaderboards", board.value)


def _as_standing(snapshot: Snapshot) -> tuple[str, Standing]:
    return snapshot.path.split("/")[1], Standing.model_validate(snapshot.fields["standing"])
