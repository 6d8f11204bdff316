"""Accounts that are deleted: `deletions/{uid}`, and all that names a user."""

from collections.abc import Callable, Sequence
from datetime import datetime

from functions.adapters.firestore.cache import CacheDocuments
from functions.adapters.firestore.leaderboard import LeaderboardDocuments
from functions.adapters.firestore.reading import DamagedDocumentError, Found, all_sound
from functions.adapters.firestore.teams import TeamDocuments
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.wallet import as_wallet
from functions.adapters.firestore.writes import OUTCOME_UNKNOWN, run_transaction
from functions.core.privacy.deletion import Deletion, requested
from functions.core.shared.damage import DamagedDocument, mapping, strings
from functions.core.shared.records import Fields
from functions.core.teams.removals import Removal
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import LedgerEntry, Wallet
from functions.core.wallet.standing import Ranked
from functions.core.wallet.team_wallet import TeamWallet


class DeletionDocuments(TeamDocuments, LeaderboardDocuments, CacheDocuments):
    """Reads and writes of accounts that are deleted."""

    def close_account(
        self,
        uid: str,
        now: datetime,
        decide: Callable[[Wallet | None], Account],
        leave: Callable[[TeamWallet], Account],
    ) -> tuple[Wallet, tuple[DamagedDocument, ...]]:
        """Close a wallet, leave all teams, remove profile and cache, and note the deletion, in one transaction: two
        reads, five writes, and one for each token that pushes go to; for each team one to three reads and writes; who
        is on the leaderboard, three reads more, and a write for each board. One that is closed is returned as it is.
        A team that cannot be read, which is returned too, is left by a removal."""

        def body(transaction: Transaction) -> tuple[Wallet, tuple[DamagedDocument, ...]]:
            refs = [self._profile_ref(uid), self._wallet_ref(uid)]
            profile, stored = self._client.get_all(refs, transaction)
            found = as_wallet(stored)
            if found is not None and found.closed_at is not None:
                return found, ()
            wallet = found or self._wallet_in(transaction, uid)
            teams = self.teams_of(uid, strings(profile.fields, "teams"), transaction)
            account = decide(wallet)
            left_teams = [(team, leave(team)) for team in teams]
            listed = wallet is not None and wallet.standing is not None
            boards = self._boards(transaction, Ranked.USERS) if listed else ()
            ends = [team.team_id for team, left in left_teams if team.standing and not left.wallet.standing]
            of_teams = self._boards(transaction, Ranked.TEAMS) if ends else ()
            self._rename(transaction, boards, {uid}, None)
            self._rename(transaction, of_teams, set(ends), None)
            self._write_account(transaction, uid, account)
            for _, left in left_teams:
                self._write_account(transaction, uid, left)
            for each in teams.damaged:
                stays = Removal(team_id=each.path.split("/")[1], uid=uid, at=now, next_at=now, leaves=True)
                transaction.set(self._removals.document(stays.name), stays.model_dump(by_alias=True))
            devices = [each for each in mapping(profile.fields, "devices").values() if isinstance(each, dict)]
            known = [each.get("pushToken") for each in devices] + [*(wallet.push_tokens if wallet else ())]
            tokens = {each for each in known if isinstance(each, str)}  # a profile that is damaged goes like any other
            self._write_releases(transaction, uid, tokens, now)
            transaction.delete(self._profile_ref(uid)).delete(self._cache_ref(uid))
            transaction.set(self._deletion_ref(uid), requested(now).model_dump(by_alias=True))
            return account.wallet, teams.damaged

        try:
            return run_transaction(self._client.transaction(), body)
        except OUTCOME_UNKNOWN:
            wallet = as_wallet(self._client.get(self._wallet_ref(uid)))
            if wallet is None or wallet.closed_at is None:
                raise
            return wallet, ()  # it was done, and its reply was lost

    def leave_team(self, removal: Removal, decide: Callable[[TeamWallet], Account]) -> None:
        """Store what `decide` makes of a team that the user is still in, and that the removal has taken place, in one
        transaction: four reads, two writes and one for each entry and board. Raises DamagedDocumentError while the team
        cannot be read."""

        def body(transaction: Transaction) -> None:
            found = self.teams_of(removal.uid, [removal.team_id], transaction)
            if found.damaged:
                raise DamagedDocumentError(found.damaged[0])
            for team in found:
                boards = self._boards(transaction, Ranked.TEAMS) if team.standing else ()
                left = decide(team)
                if left.wallet.standing is None:
                    self._rename(transaction, boards, {removal.team_id}, None)
                self._write_account(transaction, removal.uid, left)
            transaction.update(self._removals.document(removal.name), {"leaves": False})

        run_transaction(self._client.transaction(), body)

    def due_deletions(self, now: datetime, limit: int) -> Found[tuple[str, Deletion]]:
        """Read what is to be erased now, longest due first. A read each, one if there are none."""
        query = self._client.collection("deletions").where("nextAt", "<=", now).order_by("nextAt").limit(limit)
        return all_sound(query.stream(), _as_deletion)

    def change_deletion(self, uid: str, fields: Fields) -> None:
        """Write these fields of a deletion. One write."""
        self._client.batch().update(self._deletion_ref(uid), fields).commit()

    def end_deletion(self, uid: str) -> None:
        """Forget a deletion that is done. One write."""
        self._client.batch().delete(self._deletion_ref(uid)).commit()

    def remove_words(self, uid: str, entries: list[LedgerEntry]) -> None:
        """Take what a user, or an operator, has written out of a page of entries. A write each, in one commit."""
        writes = self._client.batch()
        for entry in entries:
            writes.update(self._ledger(uid).document(entry.entry_id), {"detail": None})
        if entries:
            writes.commit()

    def forget_costs(self, uid: str, days: Sequence[str]) -> None:
        """Take a user out of the books of these days, where the most expensive ones are named. A read each, and a write
        for each that names the user; sums stay."""
        refs = [self._client.document("budget", day) for day in days]
        for book in self._client.get_all(refs) if refs else ():
            users = book.fields.get("users", {})
            if uid in users:
                left = {user: micros for user, micros in users.items() if user != uid}
                self._client.batch().update(book.path, {"users": left}, book.update_time).commit()

    def _deletion_ref(self, uid: str) -> str:
        return self._client.document("deletions", uid)


def _as_deletion(snapshot: Snapshot) -> tuple[str, Deletion]:
    return snapshot.id, Deletion.model_validate(snapshot.fields)
