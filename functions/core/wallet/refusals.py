"""What callers can be told of their account beside `core.shared.errors`, in whose tree these stand."""

from functions.core.shared.errors import EcolaneError


class AccountBlocked(EcolaneError):
    """An operator takes no photos from this user any more. Nothing is charged."""

    reason = "ACCOUNT_BLOCKED"


class AccountDeleted(EcolaneError):
    """The user has deleted this account; a token of it may be good for an hour. Nothing is done."""

    reason = "ACCOUNT_DELETED"


class MonthlyLimit(EcolaneError):
    """The plan's photos of this month are used up. Details: `limit`, and `resetsAt`, ISO 8601 in UTC."""

    reason = "MONTHLY_LIMIT"


class PlanRequired(EcolaneError):
    """The user's plan does not have this. Details: the `feature`, and the lowest `plan` that has it, None for none."""

    reason = "PLAN_REQUIRED"


class TeamNotFound(EcolaneError):
    """No such team, or the caller is not in it: the answer is the same, so that ids cannot be probed. Nothing is
    charged, to nobody."""

    reason = "TEAM_NOT_FOUND"


class MemberLimit(EcolaneError):
    """The member has spent this month's share of the team's tokens. Nothing is charged. Details: `limit`, `used` and
    `resetsAt`, ISO 8601 in UTC."""

    reason = "MEMBER_LIMIT"
