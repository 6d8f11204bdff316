"""What callers can be told of teams beside `core.wallet.refusals`, in the tree of `core.shared.errors`."""

from functions.core.shared.errors import EcolaneError


class NotTeamAdmin(EcolaneError):
    """This takes an owner of the team, or an admin. Detail: `role`, the caller's own."""

    reason = "NOT_TEAM_ADMIN"


class TeamFull(EcolaneError):
    """The team has as many members as it can have, or the user is in as many teams as one can be. Details: `limit`, and
    `of`, whose it is: a team's or a user's."""

    reason = "TEAM_FULL"


class InviteInvalid(EcolaneError):
    """No such invite; or it is over, was used by somebody else, or comes from somebody who may invite nobody any
    more."""

    reason = "INVITE_INVALID"


class LastOwner(EcolaneError):
    """The team's only owner can neither leave nor become something else: another one comes first."""

    reason = "LAST_OWNER"
