"""What callers can be told of their account beside `core.shared.errors`, in whose tree these stand."""

from functions.core.shared.errors import EcolaneError


class AccountBlocked(EcolaneError):
    """An operator takes no photos from this user any more. Nothing is charged."""

    reason = "ACCOUNT_BLOCKED"


class AccountDeleted(EcolaneError):
    """The user has deleted this account; a token of it may be good for an hour. Nothing is done."""

    reason = "ACCOUNT_DELETED"
