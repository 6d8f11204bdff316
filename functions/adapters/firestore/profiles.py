"""Profiles and the devices that pushes go to: `users/{uid}`, and `releasedTokens/{hash}`.

A token is in one wallet at most: registering takes it, in one transaction, from its last owner. That user's documents
are changed field by field, so damage in them does not stop the caller.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from google.api_core import exceptions

from functions.adapters.firestore.reading import sound
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.wallet import WalletDocuments
from functions.adapters.firestore.writes import run_transaction
from functions.core.shared.damage import strings
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet
from functions.core.wallet.presets import Preset
from functions.core.wallet.profile import RELEASE_LIFETIME, Profile, Release, claim_id

OWNERS_MAX = 10
"""Wallets that hold one token. There is one at most, or two from the time before tokens were taken."""

CLAIMS_PER_QUERY = 30
"""What an `in` takes."""

Devices = Mapping[str, Mapping[str, Any]]
"""As they are stored, by their key."""


class ProfileDocuments(WalletDocuments):
    """Reads and writes of profiles."""

    def register_device(
        self,
        uid: str,
        token: str,
        now: datetime,
        decide: Callable[[Profile, Wallet | None], tuple[Profile, Account] | None],
    ) -> Profile:
        """Store what `decide` makes of profile and wallet, and take the token from another owner, in one transaction:
        three reads, two writes, and one for each token that leaves or enters the wallet; for another owner a read and
        three writes more. Two reads if `decide` changes nothing."""

        def body(transaction: Transaction) -> Profile:
            stored = self._client.get(self._profile_ref(uid), transaction)
            profile = sound(stored, lambda each: Profile.model_validate(each.fields))
            wallet = self._wallet_in(transaction, uid)
            decision = decide(profile, wallet)
            if decision is None:
                return profile
            registered, account = decision
            others = self._other_owners(transaction, uid, token)
            for other, devices, tokens in others:
                self._release(transaction, other, devices, tokens, {token}, now)
            # A device is replaced as a whole, so the map is written and not merged.
            transaction.put(self._profile_ref(uid), registered.model_dump(by_alias=True))
            self._write_account(transaction, uid, account)
            before = set(wallet.push_tokens) if wallet else set()
            self._write_releases(transaction, uid, before - set(account.wallet.push_tokens), now)
            for entering in set(account.wallet.push_tokens) - before:
                transaction.delete(self._release_ref(uid, entering))
            return registered

        try:
            return run_transaction(self._client.transaction(), body)
        except exceptions.AlreadyExists:
            # The commit was repeated, and met the entry of an allowance that it had brought itself.
            return run_transaction(self._client.transaction(), body)

    def change_presets(
        self, uid: str, change: Callable[[Mapping[str, Preset]], dict[str, Preset]]
    ) -> dict[str, Preset]:
        """Store what `change` makes of a user's presets, in one transaction: two reads and a write."""

        def body(transaction: Transaction) -> dict[str, Preset]:
            self._wallet_in(transaction, uid)  # nothing is made anew for a user who has left
            stored = self._client.get(self._profile_ref(uid), transaction)
            presets = change(sound(stored, lambda each: Profile.model_validate(each.fields)).presets)
            fields = {name: each.model_dump(by_alias=True) for name, each in presets.items()}
            transaction.put(self._profile_ref(uid), {"presets": fields})
            return presets

        return run_transaction(self._client.transaction(), body)

    def release_tokens(self, uid: str, tokens_of: Callable[[Devices], Collection[str]], now: datetime) -> int:
        """Take tokens from a user, in one transaction: two reads, and three writes if the user has them. Returns how
        many devices are left. Safe to repeat."""

        def body(transaction: Transaction) -> int:
            both = [self._profile_ref(uid), self._wallet_ref(uid)]
            read = self._client.get_all(both, transaction)
            profile, wallet = (snapshot.fields for snapshot in read)
            devices, pushed = profile.get("devices", {}), wallet.get("pushTokens", [])
            return self._release(transaction, uid, devices, pushed, tokens_of(devices), now)

        return run_transaction(self._client.transaction(), body)

    def get_profile(self, uid: str) -> Profile:
        """Read a profile, an empty one if there is none. One read."""
        return sound(self._client.get(self._profile_ref(uid)), lambda each: Profile.model_validate(each.fields))

    def push_tokens_of(self, uid: str) -> tuple[str, ...]:
        """Read where to push to for a user. One read."""
        wallet = self._client.get(self._wallet_ref(uid)).fields
        return tuple(strings(wallet, "pushTokens"))

    def push_tokens_of_each(self, uids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Read the same for each of these users. A read each."""
        wallets = self._client.get_all([self._wallet_ref(uid) for uid in uids]) if uids else ()
        return {each.path.split("/")[1]: tuple(strings(each.fields, "pushTokens")) for each in wallets}

    def released(self, claims: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Find those of these (uid, token) pairs that were released. A read for each, and at least one for every
        thirty."""
        by_id = {claim_id(uid, token): (uid, token) for uid, token in claims}
        ids, found = sorted(by_id), set()
        for start in range(0, len(ids), CLAIMS_PER_QUERY):
            some = [self._client.document("releasedTokens", each) for each in ids[start : start + CLAIMS_PER_QUERY]]
            query = self._client.collection("releasedTokens").where("__name__", "in", some)
            found |= {by_id[snapshot.id] for snapshot in query.limit(CLAIMS_PER_QUERY).stream()}
        return found

    def _other_owners(
        self, transaction: Transaction, uid: str, token: str
    ) -> list[tuple[str, Devices, Collection[str]]]:
        """Read who else has a token: their ids, their devices, and all of their tokens."""
        query = self._client.collection_group("wallet").where("pushTokens", "array_contains", token)
        wallets = query.limit(OWNERS_MAX).stream(transaction)
        tokens = {wallet.path.split("/")[1]: wallet.fields["pushTokens"] for wallet in wallets}
        others = [self._profile_ref(other) for other in tokens if other != uid]
        profiles = self._client.get_all(others, transaction) if others else ()
        return [(found.id, found.fields.get("devices", {}), tokens[found.id]) for found in profiles]

    def _release(
        self,
        transaction: Transaction,
        uid: str,
        devices: Devices,
        pushed: Collection[str],
        tokens: Collection[str],
        now: datetime,
    ) -> int:
        left = {key: device for key, device in devices.items() if device.get("pushToken") not in tokens}
        if len(left) < len(devices):
            transaction.update(self._profile_ref(uid), {"devices": left})
        if set(pushed) & set(tokens):
            transaction.update(self._wallet_ref(uid), {"pushTokens": [each for each in pushed if each not in tokens]})
        self._write_releases(transaction, uid, tokens, now)
        return len(left)

    def _write_releases(self, transaction: Transaction, uid: str, tokens: Collection[str], now: datetime) -> None:
        release = Release(expire_at=now + RELEASE_LIFETIME).model_dump(by_alias=True)
        for token in tokens:
            transaction.set(self._release_ref(uid, token), release)

    def _profile_ref(self, uid: str) -> str:
        return self._client.collection("users").document(uid)

    def _release_ref(self, uid: str, token: str) -> str:
        return self._client.document("releasedTokens", claim_id(uid, token))
