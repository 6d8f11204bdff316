"""Teams: `teams/{id}/wallet/main`, which has the members, and `teams/{id}/associations/{uid}`; `invites/{hash}`;
`removals/{hash}`; and the `teams` of each member in `users/{uid}`.

An associate costs a read more of whatever is about one, and a write if it changes; a team without any, none.

A commit whose reply was lost is not looked for: each of these, called again, finds what it has done. Only a move of
tokens is, by its entry.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from google.api_core import exceptions

from functions.adapters.firestore.profiles import ProfileDocuments
from functions.adapters.firestore.query import Collection
from functions.adapters.firestore.reading import Found, all_sound, sound, sound_fields
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.wallet import as_entry, as_team, as_wallet, in_use, open_or_closed_team
from functions.adapters.firestore.writes import OUTCOME_UNKNOWN, run_transaction
from functions.core.shared.damage import strings
from functions.core.shared.errors import EcolaneError
from functions.core.teams.invites import Invite
from functions.core.teams.moves import Move, key_of_another_kind, not_in_team
from functions.core.teams.removals import Removal
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import LedgerEntry, Wallet
from functions.core.wallet.profile import Profile, with_counted
from functions.core.wallet.refusals import AccountDeleted
from functions.core.wallet.team_wallet import Counters, Member, TeamWallet


@dataclass(frozen=True)
class Entry:
    """What is known when somebody wants to be in a team: the team, also a closed one, so that none is founded over its
    ledger; the teams that they are in, their own wallet, the invite, and their counters if they have left the team
    before; None for each that is not there."""

    team: TeamWallet | None
    teams: tuple[str, ...]
    wallet: Wallet | None
    invite: Invite | None = None
    counters: Counters | None = None


class TeamDocuments(ProfileDocuments):
    """Reads and writes of teams."""

    def get_team(self, team_id: str, uid: str | None = None) -> TeamWallet | None:
        """Read a team, with this user laid in if they are its associate. One read, or two."""
        team = as_team(self._client.get(self._wallet_ref("", team_id)))
        return self._with_associates(team, [uid] if uid else [])

    def teams_of(self, uid: str, team_ids: Sequence[str], transaction: Transaction | None = None) -> Found[TeamWallet]:
        """Read those of these teams that a user is in, with them laid in where they are an associate, and with whoever
        would be left of a team in which nobody else spends: the associate of longest standing. One or two reads
        each."""

        def read(each: Snapshot) -> TeamWallet | None:
            team = self._with_associates(as_team(each), [uid], transaction)
            if team is None or team.members.keys() != {uid} or not team.associate_count:
                return team
            return team.with_associates(self.first_associate(team.team_id, transaction))

        refs = [self._wallet_ref(uid, each) for each in team_ids]
        found = all_sound(self._client.get_all(refs, transaction) if refs else (), read)
        return Found([team for team in found if team is not None and uid in team.members], found.damaged)

    def first_associate(self, team_id: str, transaction: Transaction | None = None) -> dict[str, Member]:
        """Read a team's associate of longest standing, by uid. One read."""
        found = self._associates(team_id).order_by("joinedAt").limit(1).stream(transaction)
        return {each.id: _as_member(each) for each in found}

    def list_associates(self, team_id: str, after: str | None, limit: int) -> Found[tuple[str, Member]]:
        """Read a page of a team's associates, by their uids. A read each, one if there are none."""
        associates = self._associates(team_id)
        query = associates.order_by("__name__").limit(limit)
        if after is not None:
            query = query.start_after({"__name__": associates.document(after)})
        return all_sound(query.stream(), lambda each: (each.id, _as_member(each)))

    def enter_team(
        self,
        team_id: str,
        uid: str,
        decide: Callable[[Entry], tuple[TeamWallet, tuple[str, ...]]],
        code_id: str | None = None,
    ) -> TeamWallet:
        """Store what `decide` makes of a team and its new member's teams, in one transaction: three reads and two
        writes, with an invite four and three. Nothing is written if the team stays as it is."""

        def body(transaction: Transaction) -> TeamWallet:
            refs = [self._wallet_ref(uid, team_id), self._profile_ref(uid), self._wallet_ref(uid)]
            invites = [self._invites.document(code_id)] if code_id else []
            found, profile, own, *invite = self._client.get_all([*refs, *invites], transaction)
            known = sound(profile, lambda each: Profile.model_validate(each.fields))
            before = self._with_associates(open_or_closed_team(found), [uid], transaction)
            with_code, counters = _invite(invite[0]) if invite else None, known.counted.get(team_id)
            entry = Entry(before, known.teams, in_use(as_wallet(own)), with_code, counters)
            team, teams = decide(entry)
            if team == before:
                return team
            self._write_account(transaction, uid, Account(team))
            transaction.put(self._profile_ref(uid), {"teams": teams})
            for path in invites:
                transaction.update(path, {"usedBy": uid})
            return team

        return run_transaction(self._client.transaction(), body)

    def move_tokens(
        self,
        move: Move,
        uids: Sequence[str],
        decide: Callable[[TeamWallet | None, Sequence[Wallet | None]], Mapping[str, Account]],
    ) -> LedgerEntry:
        """Store what `decide` makes of a team's wallet and these members', in one transaction: a read each, two for
        moves of other kinds that have the key, and two writes for each account that it returns by its `wallet_name`.
        Returns the entry that the move is known by; if it is there already, as it is, whatever `decide` says to a
        second one."""

        def body(transaction: Transaction) -> LedgerEntry:
            team = as_team(self._client.get(self._wallet_ref("", move.team_id), transaction))
            team = self._with_associates(team, [move.by, *uids], transaction)
            members = team.members if team else {}
            wallets = [self._members_wallet(transaction, uid, move) if uid in members else None for uid in uids]
            accounts = decide(team, wallets)
            others = self._client.get_all([self._move_ref(each) for each in move.others], transaction)
            if any(each.exists for each in others):
                raise key_of_another_kind()
            for name, account in accounts.items():
                self._write_account(transaction, name, account)
            new = [entry for account in accounts.values() for entry in account.new_entries]
            return next(entry for entry in new if entry.entry_id == move.entry)

        try:
            return run_transaction(self._client.transaction(), body)
        except (*OUTCOME_UNKNOWN, EcolaneError):
            # A refusal stands only if the key is new; a commit whose reply was lost has made the entry.
            snapshot = self._client.get(self._move_ref(move))
            if not snapshot.exists:
                raise
            return as_entry(snapshot)

    def _move_ref(self, move: Move) -> str:
        return self._ledger(move.by, move.team_id if move.from_team else None).document(move.entry)

    def _members_wallet(self, transaction: Transaction, uid: str, move: Move) -> Wallet | None:
        """Read the wallet of one who gives or gets. Whoever has deleted the account can be a member for a while, see
        `Removal`: nobody else hears AccountDeleted, at which an app signs its user out."""
        try:
            return self._wallet_in(transaction, uid)
        except AccountDeleted:
            if uid == move.by:
                raise
            raise not_in_team() from None

    def change_team(
        self, team_id: str, uid: str, decide: Callable[[TeamWallet | None], tuple[TeamWallet | None, Removal | None]]
    ) -> tuple[TeamWallet | None, Removal | None]:
        """Store what `decide` makes of a team, in which it changes one user: two reads, a write, and one for the
        removal, by which queued photos are cancelled; for one who is in it no more one more, for the user's profile,
        which keeps the counters of a member who goes. Returns what was decided in the end."""

        def body(transaction: Transaction) -> tuple[TeamWallet | None, Removal | None]:
            refs = [self._wallet_ref(uid, team_id), self._profile_ref(uid)]
            found, profile = self._client.get_all(refs, transaction)
            before = self._with_associates(as_team(found), [uid], transaction)
            after, removal = decide(before)
            if before is None or after is None or after == before:
                return after, removal
            self._write_account(transaction, uid, Account(after))
            if uid not in after.members and profile.exists:
                left = [each for each in strings(profile.fields, "teams") if each != team_id]
                counted = with_counted(sound_fields(Profile, profile)[0].counted, team_id, before.members[uid])
                kept = {name: each.model_dump(by_alias=True) for name, each in counted.items()}
                transaction.update(profile.path, {"teams": left, "counted": kept})
            if removal is not None:
                transaction.set(self._removals.document(removal.name), removal.model_dump(by_alias=True))
            return after, removal

        return run_transaction(self._client.transaction(), body)

    def keep_invite(
        self, code_id: str, team_id: str, decide: Callable[[TeamWallet | None, Invite | None], Invite]
    ) -> Invite:
        """Store what `decide` makes of an invite that may be there, in one transaction: two reads, one write."""

        def body(transaction: Transaction) -> Invite:
            refs = [self._wallet_ref("", team_id), self._invites.document(code_id)]
            found, stored = self._client.get_all(refs, transaction)
            before = _invite(stored)
            after = decide(as_team(found), before)
            if after != before:
                transaction.set(stored.path, after.model_dump(by_alias=True))
            return after

        return run_transaction(self._client.transaction(), body)

    def get_invite(self, code_id: str) -> Invite | None:
        """Read an invite. One read."""
        return _invite(self._client.get(self._invites.document(code_id)))

    def due_removals(self, now: datetime, limit: int) -> Found[Removal]:
        """Read whose queued photos are still to be cancelled. A read each, one if there are none."""
        query = self._removals.where("nextAt", "<=", now).order_by("nextAt").limit(limit)
        return all_sound(query.stream(), lambda each: Removal.model_validate(each.fields))

    def put_off_removal(self, removal: Removal, until: datetime) -> None:
        """Say when somebody looks at a removal again; nothing if its own call has ended it meanwhile. One write."""
        with suppress(exceptions.NotFound):
            self._client.batch().update(self._removals.document(removal.name), {"nextAt": until}).commit()

    def end_removal(self, removal: Removal) -> None:
        """Forget a removal after which nothing is left to cancel. One write."""
        self._client.batch().delete(self._removals.document(removal.name)).commit()

    def _with_associates(
        self, team: TeamWallet | None, uids: Sequence[str], transaction: Transaction | None = None
    ) -> TeamWallet | None:
        """Lay in those of these users who are associates of a team: a read for each who is not in its wallet, none if
        it has no associates."""
        if team is None or not team.associate_count:
            return team
        refs = [self._associates(team.team_id).document(uid) for uid in uids if uid not in team.members]
        found = self._client.get_all(refs, transaction) if refs else []
        return team.with_associates({each.id: _as_member(each) for each in found if each.exists})

    @property
    def _invites(self) -> Collection:
        return self._client.collection("invites")

    @property
    def _removals(self) -> Collection:
        return self._client.collection("removals")


def _as_member(snapshot: Snapshot) -> Member:
    return sound(snapshot, lambda each: Member.model_validate(each.fields))


def _invite(snapshot: Snapshot) -> Invite | None:
    return sound(snapshot, lambda each: Invite.model_validate(each.fields)) if snapshot.exists else None
