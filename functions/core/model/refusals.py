"""What a provider's transport raises, and how it comes from a refusal: whose fault, billed or not, when to ask again.

Every provider's transport raises these and no others, so that a use case acts on a refusal without knowing whose it is.
"""

import re

from functions.core.model.provider_errors import THE_PHOTOS, Trouble, code_of, trouble_of

NOT_BILLED_STATUS = frozenset({500, 503})
"""OpenAI itself says that it has not done it. A gateway's 502 or 504 leaves that open."""

OVERLOADED = 529
"""Anthropic's own: it has taken nothing."""

THING_REFUSED_STATUS = frozenset({400, 404, 422})
"""What is said of one batch or file, with an error of the API's own form. A page in HTML is a wrong base URL."""

RETRY_AFTER_SECONDS_MAX = 3_600
"""The longest wait that is passed on: a provider may name days."""

_SECONDS = re.compile("[0-9]{1,9}")
"""A Retry-After that counts seconds."""


class ProviderError(Exception):
    """The provider did not do what was asked. `trouble` says who can act; `status` and `code` are the provider's, if
    any. The message is made of these: no word of it is the provider's own."""

    def __init__(self, message: str, trouble: Trouble, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.trouble, self.status, self.code = trouble, status, code

    def as_down(self) -> "ProviderDownError":
        """Return it as what it is where it can be no photo's fault: a provider that does not take what we send."""
        return ProviderDownError(str(self), self.trouble, self.status, self.code, may_be_billed=False)


class ProviderDownError(ProviderError):
    """The provider does nothing of this kind now: it is down, slow or overloaded, or refuses our key, account or
    settings. `may_be_billed` is false only if it was not reached, or refused in its own words."""

    def __init__(
        self,
        message: str,
        trouble: Trouble,
        status: int | None = None,
        code: str | None = None,
        *,
        retry_after_seconds: int | None = None,
        may_be_billed: bool = True,
    ) -> None:
        super().__init__(message, trouble, status, code)
        self.retry_after_seconds = retry_after_seconds
        self.may_be_billed = may_be_billed

    @property
    def surely_undone(self) -> bool:
        """Whether what was asked for is known not to be there: it did not arrive, or was refused before anything was
        done. An error of the provider's own, as 500, leaves that open."""
        return not self.may_be_billed and (self.status is None or self.status < 500 or self.status == OVERLOADED)


class ProviderRejectedError(ProviderError):
    """The provider refused this photo, file or batch for its own sake. It would refuse it again."""


def refusal(status: int, error: object, retry_after: str = "", *, about_a_thing: bool = False) -> ProviderError:
    """Return what a refusal of OpenAI's comes to: whose fault, whether it may be billed, and when to try again.

    `error` is the error object of the answer's body, anything else if the answer was not the API's. `retry_after` is
    the header's text, empty for none. With `about_a_thing`, a batch or a file, "not found" is a refusal of that alone;
    anything else, a photo or a list, is refused for its own sake only in words about photos.
    """
    trouble = trouble_of(status, error)
    thing = status in THING_REFUSED_STATUS and trouble is Trouble.CONFIGURATION and isinstance(error, dict)
    billed = status >= 500 and status not in NOT_BILLED_STATUS
    return refused(status, trouble, code_of(error), retry_after, billed=billed, itself=thing and about_a_thing)


def refused(
    status: int, trouble: Trouble, code: str | None, retry_after: str, *, billed: bool, itself: bool = False
) -> ProviderError:
    """Return the error for a refusal that was understood. `itself`: what was asked about is refused for its own
    sake, as a photo is by its `trouble`."""
    message = f"status {status}, code {code}"
    if trouble in THE_PHOTOS or itself:
        return ProviderRejectedError(message, trouble, status, code)
    wait = _seconds(retry_after)
    return ProviderDownError(message, trouble, status, code, retry_after_seconds=wait, may_be_billed=billed)


def error_in_success(error: object, *, billed: bool) -> ProviderError:
    """Return what an error that came with a success's status comes to. `billed`: the answer reports tokens all the
    same."""
    trouble, code = trouble_of(None, error), code_of(error)
    message = f"an error in a success, code {code}"
    if trouble in THE_PHOTOS:
        return ProviderRejectedError(message, trouble, 200, code)
    return ProviderDownError(message, trouble, 200, code, may_be_billed=billed)


def _seconds(retry_after: str) -> int | None:
    """Read a Retry-After header: whole seconds between 1 and an hour, None for a date or none."""
    return min(max(int(retry_after), 1), RETRY_AFTER_SECONDS_MAX) if _SECONDS.fullmatch(retry_after) else None
