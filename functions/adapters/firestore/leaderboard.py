"""The leaderboard: `leaderboards/{board}`, those of teams as `teams-{board}`; and who takes part: those wallets that
have a standing."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial

from functions.adapters.firestore.query import DESCENDING, Query
from functions.adapters.firestore.reading import all_sound, sound_fields
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.wallet import WalletDocuments
from functions.adapters.firestore.writes import OUTCOME_UNKNOWN, run_transaction
from functions.core.leaderboard.ranks import TOP, Counts, Leaders, Range, Row
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet
from functions.core.wallet.standing import Board, Ranked, Standing

RANKED_MAX = 100_000_000
"""That are counted; one read for every thousand."""

STANDINGS = {Ranked.USERS: "standing", Ranked.TEAMS: "teamStanding"}
"""The field of a wallet with the standing, by who is ranked."""


class LeaderboardDocuments(WalletDocuments):
    """Reads and writes of boards. A name that is taken back is off them in the same commit."""

    def change_standing(
        self, uid: str, decide: Callable[[Wallet | None], Account | None], team_id: str | None = None
    ) -> Wallet | None:
        """Store what `decide` makes of the standing in a wallet, a user's or a team's, in one transaction: four reads,
        a write for the wallet and for each board that it is on; none if that is None. Returns the wallet as it is
        then."""

        def body(transaction: Transaction) -> Wallet | None:
            wallet = self._wallet_in(transaction, uid, team_id)
            account = decide(wallet)
            if account is None:
                return wallet
            named, ranked = (team_id, Ranked.TEAMS) if team_id else (uid, Ranked.USERS)
            self._rename(transaction, self._boards(transaction, ranked), {named}, account.wallet.standing)
            self._write_account(transaction, uid, account)
            return account.wallet

        try:
            return run_transaction(self._client.transaction(), body)
        except OUTCOME_UNKNOWN:
            wallet = self.get_wallet(uid, team_id)
            if decide(wallet) is not None:
                raise
            return wallet  # it was done, and its reply was lost

    def leaders(self, board: Board, ranked: Ranked) -> Leaders:
        """Read a board. One read."""
        return sound_fields(Leaders, self._client.get(self._board_ref(board, ranked)))[0]

    def write_top(
        self, board: Board, ranked: Ranked, period: str, shown: Callable[[str], bool], now: datetime
    ) -> Leaders:
        """Read and store the first hundred of a board, in one transaction, so that nobody is on it who leaves
        meanwhile: a read for each and one more, and a write. A name that is not `shown` is left empty."""

        def body(transaction: Transaction) -> Leaders:
            ref = self._board_ref(board, ranked)
            before = sound_fields(Leaders, self._client.get(ref, transaction))[0]
            rows = [
                Row(uid=uid, name=each.name if shown(each.name) else "", points=each.score(board).points)
                for uid, each in self._first(board, ranked, period, transaction)
            ]
            leaders = before.model_copy(update={"period": period, "at": now, "top": tuple(rows)})
            fields = leaders.model_dump(by_alias=True, include={"period", "at", "top"})
            transaction.put(ref, fields)
            return leaders

        return run_transaction(self._client.transaction(), body)

    def count_ranked(self, board: Board, ranked: Ranked, period: str, points: Range) -> int:
        """Count those with points in this range. One read for every thousand, at least one."""
        return self._ranked(board, ranked, period, points).limit(RANKED_MAX).count()

    def write_counts(self, board: Board, ranked: Ranked, counts: Counts) -> None:
        """Store the counts of a board, beside its top. One write."""
        fields = {"counts": counts.model_dump(by_alias=True)}
        self._client.batch().put(self._board_ref(board, ranked), fields).commit()

    def _boards(self, transaction: Transaction, ranked: Ranked) -> Sequence[Snapshot]:
        """Read the boards of a kind, which comes before all writes of a transaction. Three reads."""
        return self._client.get_all([self._board_ref(board, ranked) for board in Board], transaction)

    def _rename(
        self, transaction: Transaction, boards: Sequence[Snapshot], named: Collection[str], standing: Standing | None
    ) -> None:
        """Write the name of these users or teams, or their absence, into those of these boards that they are on."""
        for snapshot in boards:
            before = sound_fields(Leaders, snapshot)[0].top
            after = [
                row.model_copy(update={"name": standing.name}) if standing and row.uid in named else row
                for row in before
                if standing or row.uid not in named
            ]
            if tuple(after) != before:
                transaction.update(snapshot.path, {"top": [row.model_dump(by_alias=True) for row in after]})

    def _first(self, board: Board, ranked: Ranked, period: str, transaction: Transaction) -> list[tuple[str, Standing]]:
        """Read the first hundred, each by the id of a user or a team. One that cannot be read is left out."""
        field = STANDINGS[ranked]
        query = self._ranked(board, ranked, period, (1, None)).limit(TOP).select([field])
        return all_sound(query.stream(transaction), partial(_as_standing, field=field))

    def _ranked(self, board: Board, ranked: Ranked, period: str, points: Range) -> Query:
        least, below = points
        score = f"{STANDINGS[ranked]}.{board}"
        wallets = self._client.collection_group("wallet").where(f"{score}.period", "==", period)
        found = wallets.where(f"{score}.points", ">=", least)
        found = found if below is None else found.where(f"{score}.points", "<", below)
        return found.order_by(f"{score}.points", DESCENDING)

    def _board_ref(self, board: Board, ranked: Ranked) -> str:
        name = board.value if ranked is Ranked.USERS else f"teams-{board}"
        return self._client.document("leaderboards", name)


def _as_standing(snapshot: Snapshot, field: str) -> tuple[str, Standing]:
    return snapshot.path.split("/")[1], Standing.model_validate(snapshot.fields[field])
