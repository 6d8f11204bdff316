"""Teams in a history: who founds one, comes, spends, is changed and goes; and what has to be true of it at each write
and in the end.

What a member has spent, and whether they may, is worked out here once more: by the ledger's entries as they come, and
by who was in the team before each commit.
"""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, NamedTuple

from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, Wallet, entry_id
from functions.core.wallet.refusals import TeamNotFound
from functions.core.wallet.team_wallet import TeamWallet
from functions.wiring import Deps
from localcloud.firestore.store import Database, Scope
from scripts.operators.repairs_by_hand import AuditEntry, granted
from scripts.operators.store import OperatorStore
from scripts.simulation.documents import Documents, Fields, decoded

Drawn = Iterator[tuple[float, str, Fields]]

SHARE = 0.4  # of histories
LIMITS = (3, 6, 12, 1_000)
SPENT = {"charge", "upgrade", "refund", "bulk"}
SOONEST = 30.0  # seconds after which a team is founded, so that its tokens and members are there when photos come

_WALLETS, _REMOVALS = Scope(group="wallet"), Scope(collection="removals")
_JOBS, _BULKS = Scope(collection="aiJobs"), Scope(collection="bulkJobs")


def team_id_of(user: str, key: str) -> str:
    """Return the id that a team has to have."""
    return hashlib.sha256(f"team\n{user}\n{key}".encode()).hexdigest()[:32]


def code_of(team: str, user: str, key: str) -> str:
    """Return the code that the app is given for an invite."""
    digest = hashlib.sha256(f"invite\n{team}\n{user}\n{key}".encode()).digest()[:16]
    return base64.b32encode(digest).decode().rstrip("=")


def drawn_actions(seed: int, end: float, users: int) -> Drawn:
    """Yield what happens about a team in a history that has one."""
    dice = Random(f"teams {seed}")  # noqa: S311  (repeatable, not secret)
    if dice.random() < SHARE:
        yield from _Team(dice, end, users).actions()


def busy_actions(seed: int, end: float, users: int) -> Drawn:
    """Yield what happens about a team in a history that is about nothing else."""
    yield from _Team(Random(f"busy team {seed}"), end, users, busy=3).actions()  # noqa: S311


class _Team:
    """Draws what happens about one team."""

    def __init__(self, dice: Random, end: float, users: int, busy: int = 1) -> None:
        self._dice, self._end, self._busy = dice, end, busy
        self._users = [f"user-{number}" for number in range(users)]
        self._owner = dice.choice(self._users)
        self._others = [user for user in self._users if user != self._owner][:4]
        self._id = team_id_of(self._owner, "team-key-0")
        self._invites = self._photos = 0

    def actions(self) -> Drawn:
        dice = self._dice
        at = SOONEST + dice.uniform(0.0, self._end / 4)
        for _ in range(dice.choice((1, 1, 2))):
            yield at, "create_team", {"user": self._owner, "key": "team-key-0", "name": "Green"}
        tokens = dice.choice((8, 30, 100))
        for _ in range(dice.choice((1, 2))):
            yield at + 15.0, "grant_team", {"team": self._id, "key": "grant-key-0", "tokens": tokens}
        yield at + 15.0, "sell_team", {"team": self._id, "key": "stripe:pack-0", "tokens": 20}
        for user in self._others:
            yield from self._invited(user, at + 30.0, dice.choice(("member", "member", "admin", "associate")))
        at += 90.0
        for _ in range(dice.randrange(3, 8) * self._busy):
            yield from self._photo(dice.choice(self._users), dice.uniform(at, self._end))
        for _ in range(dice.choice((0, 1, 1)) * self._busy):
            yield from self._crowd(dice.uniform(at, self._end))
        for number in range(dice.choice((0, 1, 1)) * self._busy):
            yield from self._bulk(number, dice.uniform(at, self._end))
        for _ in range(dice.randrange(1, 4) * self._busy):
            yield from self._changed(dice.uniform(at, self._end))
        for number in range(dice.choice((2, 4)) * self._busy):
            yield from self._moved(number, dice.uniform(at, self._end))
        if dice.random() < 0.2:
            yield dice.uniform(at, self._end), "leave", {"user": dice.choice([self._owner, *self._others])}
        yield self._end, "look_at_team", {"user": self._owner, "team": self._id}

    def _invited(self, user: str, at: float, role: str) -> Drawn:
        """Invite a user, who comes: at times twice, or with somebody else who has heard of the code."""
        dice, key = self._dice, f"invite-key-000000000{self._invites}"
        self._invites += 1
        invite = {"team": self._id, "key": key, "role": role, "limit": dice.choice(LIMITS)}
        yield at, "invite", {"user": self._owner, **invite}
        for _ in range(dice.choice((1, 1, 2))):
            at += dice.choice((10.0, 20.0))
            yield at, "join", {"user": user, "code": code_of(self._id, self._owner, key)}
        if dice.random() < 0.2:
            yield at, "join", {"user": dice.choice(self._users), "code": code_of(self._id, self._owner, key)}

    def _photo(self, user: str, at: float) -> Drawn:
        """Have the team pay for a photo, or several, in either lane; which is asked for again, upgraded or cancelled
        now and then."""
        dice, key = self._dice, f"team-photo-{self._photos}"
        self._photos += 1
        if dice.random() < 0.2:
            keys = [f"{key}-{n}" for n in range(dice.randrange(2, 5))]
            yield at, "classify_many", {"user": user, "keys": keys, "payer": self._id}
            return
        mode = dice.choice(("batch", "batch", "instant"))
        for _ in range(dice.choice((1, 1, 2, 3))):
            yield at, "classify", {"user": user, "key": key, "mode": mode, "payer": self._id}
            at += dice.choice((0.0, 0.05, 40.0))
        if dice.random() < 0.5:
            yield at + dice.choice((0.3, 5.0)), dice.choice(("upgrade", "cancel")), {"user": user, "key": key}

    def _crowd(self, at: float) -> Drawn:
        """Have all send photos at once: each finds the wallet changed that it has seen."""
        for user in [*self._users, *self._users]:
            key, at = f"team-photo-{self._photos}", at + self._dice.choice((0.0, 0.02))
            self._photos += 1
            if self._dice.random() < 0.5:
                yield at, "classify", {"user": user, "key": key, "mode": "batch", "payer": self._id}
            else:
                keys = [f"{key}-{n}" for n in range(2)]
                yield at, "classify_many", {"user": user, "keys": keys, "payer": self._id}

    def _bulk(self, number: int, at: float) -> Drawn:
        """Have the team pay for many photos at once; which are cancelled, or their user removed, now and then."""
        dice, user, key = self._dice, self._dice.choice(self._users), f"team-bulk-{number}"
        details = {"user": user, "key": key, "photos": dice.choice((1, 2, 3, 5)), "any_time": dice.random() < 0.4}
        for _ in range(dice.choice((1, 1, 2))):
            yield at, "start_bulk", {**details, "payer": self._id}
        if dice.random() < 0.3:
            yield at, "remove_photo", {"user": user, "key": f"{key}-0"}
        if dice.random() < 0.5:
            yield at + dice.choice((0.05, 3.0)), "bulk", {}
        if dice.random() < 0.4:
            out = {"user": self._owner, "team": self._id, "uid": user, "remove": True}
            yield at + 10.0, *dice.choice((("cancel_bulk", {"user": user, "key": key}), ("change_member", out)))
        yield at + 20.0, "bulk", {}

    def _moved(self, number: int, at: float) -> Drawn:
        """Allot bought tokens to somebody, who passes some on, or returns them; each call comes twice at times, a
        removal at the same moment, and keys are used for something else."""
        dice, user = self._dice, self._dice.choice(self._others or [self._owner])
        tokens = dice.choice((2, 5, 30))
        allotting: dict[str, Any] = {"user": self._owner, "uid": user, "fromTeam": True, "tokens": tokens}
        back = {"user": user, "tokens": dice.choice((1, 3))}
        gift = {**back, "uid": dice.choice(self._users)}
        for n, (after, what) in enumerate(((0.0, allotting), (20.0, dice.choice((gift, back))), (40.0, back))):
            key = f"move-key-{number}-{dice.choice((n, n, n, 0))}"
            for _ in range(dice.choice((1, 1, 2))):
                yield at + after, "give", {**what, "team": self._id, "key": key}
        if dice.random() < 0.2:
            yield at, "change_member", {"user": self._owner, "team": self._id, "uid": user, "remove": True}

    def _changed(self, at: float) -> Drawn:
        """Change a member: another limit, another role, or out, by the owner or by themselves; with photos before, at
        the same moment, and after, when the crons come as well. Who is out comes back now and then."""
        dice, user = self._dice, self._dice.choice(self._others or [self._owner])
        if dice.random() < 0.4:
            roles = [{"role": role} for role in ("owner", "admin", "member", "associate", "associate")]
            what: Fields = dice.choice(({"monthlyLimit": 4}, {"noLimit": True}, *roles))
            yield at, "change_member", {"user": self._owner, "team": self._id, "uid": user, **what}
            yield from self._photo(user, at + dice.choice((0.0, 2.0)))
            return
        for before in (600.0, 5.0, 0.5):
            key = f"team-photo-{self._photos}"
            self._photos += 1
            yield max(at - before, 0.0), "classify", {"user": user, "key": key, "mode": "batch", "payer": self._id}
        by = dice.choice((self._owner, user))
        out: Fields = dice.choice(({"remove": True}, {"remove": True}, {"role": "associate"}))
        for _ in range(dice.choice((1, 1, 2))):
            yield at, "change_member", {"user": by, "team": self._id, "uid": user, **out}
        for after in (0.0, 0.2, 30.0):
            yield from self._photo(user, at + after)
        for cron in ("submit", "recover", "submit", "recover"):
            at += dice.choice((0.3, 60.0, 400.0))
            yield at, cron, {}
        if dice.random() < 0.4:
            yield from self._invited(user, at + 60.0, dice.choice(("member", "member", "associate")))
            yield at + 90.0, "change_member", {"user": self._owner, "team": self._id, "uid": user, "role": "member"}
            yield from self._photo(user, at + 120.0)


def grant(store: OperatorStore, team: str, key: str, tokens: int, deps: Deps) -> None:
    """Give a team tokens, as an operator does, once by the key. Raises TeamNotFound."""
    now = deps.clock()
    _post(store, team, Reason.GRANT, key, now, lambda wallet: granted(wallet, key, tokens, "a test", now))


def sell(store: OperatorStore, team: str, key: str, tokens: int, deps: Deps) -> None:
    """Have a team own bought tokens, as a payment leaves them, once by the key. Raises TeamNotFound."""
    now = deps.clock()
    _post(
        store, team, Reason.BUY, key, now, lambda wallet: Account(wallet).post(0, Reason.BUY, key, now, bought=tokens)
    )


def _post(
    store: OperatorStore, team: str, reason: Reason, key: str, now: datetime, change: Callable[[TeamWallet], Account]
) -> None:
    audit = AuditEntry(audit_id=f"{team}:{key}", action="team-grant", target=team, by="ana", why="a test", at=now)

    def decide(wallet: Wallet | None, _job: object) -> tuple[Account, Fields]:
        if not isinstance(wallet, TeamWallet) or not wallet.members:
            raise TeamNotFound("There is no such team.")
        return change(wallet), {}

    store.post_by_hand("", entry_id(reason, key), decide, audit, team_id=team)


MOVES = {"give", "got", "allot", "return"}


def wrong_moves(ledgers: Mapping[str, list[Fields]]) -> Iterator[str]:
    """Yield each move of tokens that is not two entries, in two ledgers, whose bought tokens sum to zero."""
    moves: dict[str, list[tuple[str, int]]] = {}
    for owner, entries in ledgers.items():
        for entry in entries:
            if entry["reason"] in MOVES:
                moves.setdefault(entry["ref"], []).append((owner, entry["bought"]))
    for ref, found in moves.items():
        if (len(found), len(dict(found)), sum(bought for _, bought in found)) != (2, 2, 0):
            yield f"the move {ref} is {found}"


@dataclass
class TeamBooks:
    """Looks at teams after each commit that changes one: who may spend, and what each member has spent.

    `teams` are the wallets as they were last, `charged` what was taken for whom, by when they had joined, `queued` the
    photos that waited when somebody was removed, by the removal's path.
    """

    teams: Documents = field(default_factory=dict)
    charged: dict[tuple[str, str, datetime], set[str]] = field(default_factory=lambda: defaultdict(set))
    queued: dict[str, set[str]] = field(default_factory=dict)

    def changed(self, database: Database) -> Iterator[str]:
        """Yield what the last commit has done that must not be."""
        for path, stored in [*database.documents(_WALLETS)]:
            if path.startswith("teams/"):
                before, after = self.teams.get(path, {}), decoded(stored.parse())
                if before != after:
                    self.teams[path] = after
                    yield from self._step(path.split("/")[1], before, after, database)

    def removals_changed(self, database: Database) -> Iterator[str]:
        """Yield what was forgotten when the last commit has forgotten a removal: photos that still wait."""
        known = {path for path, _ in database.documents(_REMOVALS)}
        for path in sorted(self.queued.keys() - known):
            for job_path in sorted(self.queued.pop(path)):
                if _waits(job_path, _fields(job_path, database)):
                    yield f"{path} is forgotten, and {job_path} still waits"

    def _step(self, team: str, before: Fields, after: Fields, database: Database) -> Iterator[str]:
        was, now = before.get("members", {}), after["members"]
        roles = {each["role"] for each in now.values()}
        if ("owner" in roles) is not (after["closedAt"] is None) or bool(roles) is not (after["closedAt"] is None):
            yield f"the team {team} has {sorted(now)} as {sorted(roles)}, and was closed at {after['closedAt']}"
        spent = _new_entries(team, before, after, database)
        for entry in spent:
            uid = _about(entry, database).uid
            if entry["delta"] < 0 and uid not in was:
                yield f"{uid} is no member of {team}, and has spent by {entry['id']}"
        for uid in sorted(was.keys() & now.keys()):
            mine = [entry for entry in spent if _about(entry, database).uid == uid]
            yield from self._wrong_count(team, uid, was[uid], now[uid], mine, database)
        for uid in sorted(was.keys() - now.keys()):
            yield from self._gone(team, uid, database)

    def _wrong_count(
        self, team: str, uid: str, was: Fields, now: Fields, entries: list[Fields], database: Database
    ) -> Iterator[str]:
        """Yield what a commit has counted wrong for a member who stays one."""
        month, used, limit = was["month"], was["used"], was["monthlyLimit"]
        for entry in entries:
            if not entry["delta"]:
                continue
            current, about = max(entry["ts"].strftime("%Y-%m"), month), _about(entry, database)
            if entry["delta"] < 0:
                self.charged[team, uid, was["joinedAt"]].add(about.name)
                month, used = current, (used if month >= current else 0) - entry["delta"]
                if limit is not None and used > limit:
                    yield f"{uid} has spent {used} of {limit} tokens of {team} with {entry['id']}"
            else:
                # One that was opened before its user came, and charged after, is not told from an earlier one.
                since = now["joinedAt"]  # which who was an associate meanwhile keeps
                ours = about.name in self.charged[team, uid, since] and about.at >= since
                if ours and about.at.strftime("%Y-%m") == current:
                    month, used = current, max((used if month >= current else 0) - entry["delta"], 0)
        if (now["month"], now["used"]) != (month, used):
            yield f"{uid} has spent {used} tokens of {team} in {month}, and {now['used']} are counted in {now['month']}"

    def _gone(self, team: str, uid: str, database: Database) -> Iterator[str]:
        """Note what waits for whoever is in the team no more, and yield a removal that nobody will finish. Those who
        have left the app are erased."""
        if _fields(f"users/{uid}/wallet/main", database).get("closedAt") is not None:
            return
        paths = [path for path, each in _found(_REMOVALS, database) if (each["teamId"], each["uid"]) == (team, uid)]
        waiting = {
            path
            for path, each in [*_found(_JOBS, database), *_found(_BULKS, database)]
            if (each.get("payer"), each["uid"]) == (team, uid) and _waits(path, each)
        }
        if not paths:
            yield f"{uid} was removed from {team}, and nobody will look for what waits: {sorted(waiting)}"
        for path in paths:
            self.queued[path] = waiting


def _new_entries(team: str, before: Fields, after: Fields, database: Database) -> list[Fields]:
    """Return the entries that a commit has added about photos, in their order."""
    ledger = _found(Scope(collection=f"teams/{team}/ledger"), database)
    added = [{**each, "id": path.rpartition("/")[2]} for path, each in ledger]
    added = [each for each in added if before.get("entryCount", 0) < each["seq"] <= after["entryCount"]]
    return sorted((each for each in added if each["reason"] in SPENT), key=lambda each: each["seq"])


class _About(NamedTuple):
    """Whose photo, or bulk job, an entry is about, which one, and when it was charged."""

    uid: str
    name: str
    at: datetime


def _about(entry: Fields, database: Database) -> _About:
    job = _fields(f"aiJobs/{entry['ref']}", database)
    name = job.get("bulkId") or entry["ref"].partition(":")[0]
    found = _fields(f"bulkJobs/{name}", database) or job
    return _About(found["uid"], name, found["createdAt"])


def _waits(path: str, fields: Fields) -> bool:
    """Whether a photo of no bulk job is queued, or a bulk job goes on: what is left of a cancelled one, the crons
    empty."""
    if path.startswith("bulkJobs/"):
        return fields.get("state") in {"taking", "working"}
    return fields.get("status") == "queued" and not fields["bulkId"]


def _found(scope: Scope, database: Database) -> list[tuple[str, Fields]]:
    return [(path, decoded(stored.parse())) for path, stored in database.documents(scope)]


def _fields(path: str, database: Database) -> Fields:
    stored = database.get(path)
    return decoded(stored.parse()) if stored else {}


def wrong_teams(documents: Documents, *, damaged: bool) -> Iterator[str]:
    """Yield what is wrong with teams at rest; a document that was damaged by hand can have put a removal off."""
    profiles = {path.split("/")[1]: each for path, each in documents.items() if _is_profile(path)}
    for path, team in documents.items():
        kind, name, *rest = path.split("/")
        if kind == "removals" and not damaged:
            yield f"{path} was never finished"
        if kind != "teams" or rest != ["wallet", "main"]:
            continue
        listed = {uid for uid, profile in profiles.items() if name in profile.get("teams", [])}
        beside = {other.split("/")[3] for other in documents if other.startswith(f"teams/{name}/associations/")}
        known = team["members"].keys() | beside
        if listed != known or team["members"].keys() & beside or len(beside) != team["associateCount"]:
            counted = f"{sorted(team['members'])}, and {team['associateCount']} associates: {sorted(beside)}"
            yield f"the team {name} has {counted}; and is named by {sorted(listed)}"


def _is_profile(path: str) -> bool:
    return path.startswith("users/") and path.count("/") == 1


def payer_of(job: Mapping[str, Any]) -> str:
    """Return whose ledger a job is in, as `Books.ledgers` names it: its user's, or a team's."""
    return ledger_of(job["payer"]) if job.get("payer") else job["uid"]


def ledger_of(team: str) -> str:
    """Return what a team's ledger is called among those of users."""
    return f"team {team}"
