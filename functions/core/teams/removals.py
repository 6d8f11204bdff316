"""Members who were removed while photos of theirs, paid for by the team, were queued: kept in `removals/{hash}` until
each of those is cancelled. Written in the commit that removes the member, so that a crash forgets none."""

import hashlib

from pydantic import AwareDatetime

from functions.core.shared.records import Record


class Removal(Record):
    """Whose photos, queued until the member was removed `at` a time, are cancelled, and when somebody looks (again).
    `leaves`: the user has deleted the account, and is still to be taken out of the team, whose wallet could not be
    read then."""

    team_id: str
    uid: str
    at: AwareDatetime
    next_at: AwareDatetime
    leaves: bool = False

    @property
    def name(self) -> str:
        """What it is stored under: who comes back and is removed again has two, and the end of one is not the other's.
        A user's id may not be fit for that."""
        return hashlib.sha256(f"{self.team_id}\n{self.uid}\n{self.at.isoformat()}".encode()).hexdigest()[:32]
