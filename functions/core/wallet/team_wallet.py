"""A team's wallet: an account as a user's, whose members spend from it within limits of their own.

Each member's counters are in the wallet itself. So a charge reads and writes no further document, and a member's limit
is checked in the transaction that moves the money. Whoever acts is let in first: `entered_by` lays the member's
counters over the wallet's, so that all rules for a user's wallet hold for the member, and `to_store` takes them back.

A team earns nothing by itself: no welcome, no allowance, no bonus. Its tokens are bought for it, or granted by
operators.

Associates are not in the wallet, and spend nothing of it: each is a document of their own, which no charge reads. Only
what is about one lays it in, `with_associates`; then rules for members hold for them, and `changed_associates` says
what is to be stored beside the wallet.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import AwareDatetime, Field

from functions.core.shared.records import Kept, Open
from functions.core.shared.utc_days import iso_text, month_of, next_month
from functions.core.wallet.figures import Count, Day
from functions.core.wallet.ledger import Today, UsedMonth, Wallet, empty_wallet
from functions.core.wallet.refusals import MemberLimit, TeamNotFound
from functions.core.wallet.standing import Standing

MEMBERS_MAX = 50
"""Each takes about 350 bytes of a document that every charge writes."""

ASSOCIATES_MAX = 1_000
"""Each joining and each allotment writes the team's one document, which takes about a write a second for long: to allot
tokens to all takes a quarter of an hour."""


class Role(StrEnum):
    """What a member may do. A role of a newer release counts as `member`."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    ASSOCIATE = "associate"


ORDINARY = frozenset({Role.MEMBER, Role.ASSOCIATE})
"""Whom admins invite, change, remove and allot tokens to."""


class Counters(Kept):
    """What a user has had of a team's photos, for the limits of the day, the month and the minute, as in a user's own
    wallet. They outlast the membership, or leaving and coming back would be worth another day's."""

    today: Today = Today()
    months: tuple[UsedMonth, ...] = ()
    rate_minute: int = 0
    rate_count: Count = 0


class Member(Counters):
    """One of a team. `used` are the tokens that this member has spent in `month`, of `monthly_limit`; None: no limit.
    `allotted` are those that the member was given to keep and has not returned."""

    role: Open[Role]
    joined_at: AwareDatetime
    monthly_limit: Count | None = None
    month: Day = "1970-01"
    used: Count = 0
    allotted: Count = 0
    blocked_at: AwareDatetime | None = None

    def used_in(self, month: str) -> int:
        """Return what was spent in this month, or in the latest that was seen if the clock has gone back."""
        return self.used if self.month >= month else 0


class TeamWallet(Wallet):
    """A team's tokens and members, by uid, and how many associates it has. What is not stored: `team_id`; the `laid_in`
    associates as they were read, who are among the `members`; who acts, the `spender`; and since when the job has been
    there that is changed, `job_at`."""

    earns: ClassVar[bool] = False
    team_id: str = Field(exclude=True)
    name: str = ""
    members: dict[str, Member] = Field(default_factory=dict)
    associate_count: Count = 0
    laid_in: dict[str, Member] = Field(default_factory=dict, exclude=True)
    standing: Standing | None = Field(default=None, alias="teamStanding")
    spender: str | None = Field(default=None, exclude=True)
    job_at: AwareDatetime | None = Field(default=None, exclude=True)

    @property
    def spenders(self) -> dict[str, Member]:
        """Who is in the wallet itself: all members but associates."""
        return {uid: each for uid, each in self.members.items() if each.role is not Role.ASSOCIATE}

    def with_associates(self, found: Mapping[str, Member]) -> "TeamWallet":
        """Return the wallet with these associates among its members, as they are stored."""
        return self.model_copy(update={"members": {**self.members, **found}, "laid_in": {**self.laid_in, **found}})

    def with_members(self, members: Mapping[str, Member]) -> "TeamWallet":
        """Return the wallet with these members in place of those that it has; its associates are counted."""
        more = len(_associates(members)) - len(_associates(self.members))
        return self.with_fields(members=dict(members), associate_count=self.associate_count + more)

    def changed_associates(self) -> dict[str, Member | None]:
        """Return the associates to store, by uid; None for a document to delete."""
        now = _associates(self.members)
        return {uid: now.get(uid) for uid in {**self.laid_in, **now} if now.get(uid) != self.laid_in.get(uid)}

    def entered_by(self, uid: str, job_at: datetime | None = None) -> "TeamWallet":
        """Return the wallet with this member's counters, for somebody who is no member (any more) with none."""
        member = self.members.get(uid)
        counters = _counters(member) if member else {}
        return self.model_copy(update={**counters, "spender": uid, "job_at": job_at})

    def to_store(self) -> dict[str, Any]:
        """Return the fields to store, with the counters where they belong."""
        members = self.spenders
        member = members.get(self.spender or "")
        if member is not None and self.spender is not None:
            counters = {**_counters(self), "months": self.months[:1]}  # fifty members, a year each, would be too much
            members[self.spender] = member.model_copy(update=counters)
        return self.model_copy(update={**_NO_COUNTERS, "members": members}).model_dump(by_alias=True)

    def require_room(self, price: int, now: datetime) -> None:
        """Raises TeamNotFound for whoever is no member; MemberLimit if the price is more than the member's month has
        left: details `limit`, `used` and `resetsAt`."""
        _, member = require_member(self, self.spender or "")
        used = member.used_in(month_of(now))
        if member.monthly_limit is not None and used + price > member.monthly_limit:
            raise MemberLimit(
                f"You may spend {member.monthly_limit} tokens of this team's a month, and have spent {used}.",
                limit=member.monthly_limit,
                used=used,
                resetsAt=iso_text(next_month(now)),
            )

    def counting(self, spent: int, now: datetime) -> dict[str, Any]:
        """Return what changes when the spender spends, or gets back, so many tokens. What comes back counts if it was
        spent this month and by this membership: what an earlier one had spent makes no room."""
        member = self.members.get(self.spender or "")
        if not spent or member is None or self.spender is None:
            return {}
        month = max(month_of(now), member.month)
        if spent < 0 and self.job_at and (self.job_at < member.joined_at or month_of(self.job_at) != month):
            return {}
        used = max(member.used_in(month) + spent, 0)
        changed = member.model_copy(update={"month": month, "used": used})
        return {"members": {**self.members, self.spender: changed}}


def require_member(team: TeamWallet | None, uid: str) -> tuple[TeamWallet, Member]:
    """Return a team and this member of it. Raises TeamNotFound."""
    if team is None or uid not in team.members:
        raise TeamNotFound("You are in no team with this id. Associates of a team pay with tokens of their own.")
    return team, team.members[uid]


def pays_for(wallet: Wallet | None, uid: str, since: datetime) -> bool:
    """Tell whether a team still pays for what this user has begun: who has left it meanwhile, and come back, begins
    anew."""
    member = wallet.members.get(uid) if isinstance(wallet, TeamWallet) else None
    return member is not None and member.joined_at <= since


def shown_member(member: Member, now: datetime) -> dict[str, Any]:
    """Return what is shown of a member, and of what they may spend: JSON."""
    used, limit = member.used_in(month_of(now)), member.monthly_limit
    return {
        "role": member.role,
        "joinedAt": iso_text(member.joined_at),
        "monthlyLimit": limit,
        "used": used,
        "left": None if limit is None else max(limit - used, 0),
        "resetsAt": iso_text(next_month(now)),
        "allotted": member.allotted,
        "blocked": member.blocked_at is not None,
    }


def wallet_name(uid: str, team_id: str | None) -> str:
    """Return what a wallet is called where both kinds stand together: a user's by their uid, which has no slash."""
    return f"team/{team_id}" if team_id else uid


def nobodys(team_id: str) -> TeamWallet:
    """Return the wallet of a team that there is not, which refuses everybody."""
    return TeamWallet.model_validate(
        {**empty_wallet(datetime.min.replace(tzinfo=UTC)).model_dump(), "team_id": team_id}
    )


def _associates(members: Mapping[str, Member]) -> dict[str, Member]:
    return {uid: each for uid, each in members.items() if each.role is Role.ASSOCIATE}


def _counters(of: Member | Wallet) -> dict[str, Any]:
    return {name: getattr(of, name) for name in _NO_COUNTERS}


_NO_COUNTERS: Mapping[str, Any] = {
    "today": Today(),
    "months": (),
    "rate_minute": 0,
    "rate_count": 0,
    "blocked_at": None,
}
