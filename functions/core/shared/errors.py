"""Everything that a caller can be told, one class per decision that the caller can take.

    EcolaneError
    ├── Unauthenticated       sign in, then call again
    ├── AppNotVerified        get a new App Check token, then call again
    ├── AuthUnavailable       call again after `retryAfter` seconds, with the same requestId
    ├── InvalidRequest        correct the named field
    ├── KeyReused             a requestId names one request: take a new one
    ├── AccountBlocked        an operator has blocked this account: show whom to ask
    ├── TeamNotFound          nothing there that the caller is in
    ├── MemberLimit           ask an admin of the team, or wait until `resetsAt`; or pay from one's own tokens
    ├── NotTeamAdmin          ask an admin of the team
    ├── TeamFull              somebody has to leave first; `of` says what
    ├── InviteInvalid         ask for another invite
    ├── LastOwner             make somebody else an owner first
    ├── PurchaseNotHere       hide the offer: this is not sold here
    ├── UnknownProduct        look again at what is sold
    ├── AlreadySubscribed     change the plan where it was bought
    ├── NothingBought         there is nothing to manage: offer what is sold
    ├── PaymentMethodNeeded   let the user buy a pack and save the card
    ├── SpendingLimit         offer a higher cap, or come back at `resetsAt`
    ├── BillingUnavailable    call again after `retryAfter` seconds, with the same requestId
    ├── AccountDeleted        the user has deleted this account: sign out
    ├── InsufficientTokens    earn or wait; `balance` and `price` say how many are missing
    ├── PriceChanged          show the new price and ask again
    ├── SettingsChanged       for operators: show the value now and ask again
    ├── DailyLimit            come back at `resetsAt`
    ├── MonthlyLimit          come back at `resetsAt`, or offer a plan
    ├── PlanRequired          offer the plan that has it
    ├── ConversionLimit       convert less
    ├── RateLimited           call again after `retryAfter` seconds
    ├── InstantClosed         take the batch lane, or wait
    ├── BudgetExhausted       wait until `resetsAt`; calling again before that changes nothing
    ├── NotAdmin              this is for operators
    ├── InvalidImage          choose another photo
    ├── PhotoRefused          choose another photo: this one is refused again
    ├── ImageNotFound         upload first
    ├── NotYourImage          upload to your own folder
    ├── JobNotFound           nothing there that is yours
    ├── JobNotCancellable     too late: the answer is on its way, or there
    ├── JobNotUpgradable      too late as well
    ├── DataDamaged           nothing to do: what cannot be read has to be repaired, and operators know of it
    ├── StoreUnavailable      call again after `retryAfter` seconds, with the same requestId
    └── ProviderUnavailable   nothing was charged: call again after `retryAfter` seconds, with a new requestId

`functions/edge/http_errors.py` maps each of them to a Firebase code; a test keeps the two lists equal.
"""

from typing import ClassVar

from functions.core.shared.photos import PhotoProblem


class EcolaneError(Exception):
    """An answer that is not a success. The message says what was wrong and what to do; `details` are for the app."""

    reason: ClassVar[str]

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class Unauthenticated(EcolaneError):
    """The call carries no valid Firebase ID token."""

    reason = "UNAUTHENTICATED"


class AppNotVerified(EcolaneError):
    """The deploy asks for App Check, and the call carries no valid token of it."""

    reason = "APP_NOT_VERIFIED"


class AuthUnavailable(EcolaneError):
    """Firebase could not verify the caller's token. Nothing was done. Detail: `retryAfter`, in seconds."""

    reason = "AUTH_UNAVAILABLE"


class InvalidRequest(EcolaneError):
    """A field is missing, unknown, or has a wrong type or range. Detail: `field`."""

    reason = "INVALID_REQUEST"


class KeyReused(EcolaneError):
    """The `requestId` had another payload, or its job is not kept any more. Detail: `field`, the first that differs."""

    reason = "KEY_REUSED"


class InsufficientTokens(EcolaneError):
    """The balance does not cover the price. Details: `balance`, `price`."""

    reason = "INSUFFICIENT_TOKENS"


class PriceChanged(EcolaneError):
    """The price is above the caller's `maxTokens`. Details: `price`, `maxTokens`, `priceVersion`."""

    reason = "PRICE_CHANGED"


class SettingsChanged(EcolaneError):
    """Somebody else has changed this setting since the caller saw it. Details: `field`, and its `value` now."""

    reason = "SETTINGS_CHANGED"


class DailyLimit(EcolaneError):
    """The user or the device has had enough for today. Details: `limit`, and `resetsAt`, ISO 8601 in UTC."""

    reason = "DAILY_LIMIT"


class ConversionLimit(EcolaneError):
    """More points than can be converted now. Details: `tokensLeftToday`, `pointsAvailable`, `room`."""

    reason = "CONVERSION_LIMIT"


class RateLimited(EcolaneError):
    """Too many calls at once. Detail: `retryAfter`, in seconds."""

    reason = "RATE_LIMITED"


class InstantClosed(EcolaneError):
    """The instant lane is closed, and the caller does not want the batch lane instead."""

    reason = "INSTANT_CLOSED"


class BudgetExhausted(EcolaneError):
    """The operator's budget has no room for this call. Nothing is charged. Detail: `resetsAt`, ISO 8601 in UTC."""

    reason = "BUDGET_EXHAUSTED"


class NotAdmin(EcolaneError):
    """The call needs an operator's token; see `core.shared.operators`. Detail, where there is a way out: `problem`."""

    reason = "NOT_ADMIN"


class InvalidImage(EcolaneError):
    """The object is no photo that can be classified. Detail: `problem`, which says why: see core.shared.photos."""

    reason = "INVALID_IMAGE"

    def __init__(self, problem: PhotoProblem, message: str) -> None:
        super().__init__(message, problem=problem.value)
        self.problem = problem


class PhotoRefused(EcolaneError):
    """The model, or the provider's rules, are against this photo. Details: `jobId`, and whether it was `refunded`."""

    reason = "PHOTO_REFUSED"


class ImageNotFound(EcolaneError):
    """Nothing is stored at `imagePath`."""

    reason = "IMAGE_NOT_FOUND"


class NotYourImage(EcolaneError):
    """`imagePath` is not an object directly in the caller's own upload folder."""

    reason = "NOT_YOUR_IMAGE"


class JobNotFound(EcolaneError):
    """No such job, or it is somebody else's: the answer is the same, so that ids cannot be probed."""

    reason = "JOB_NOT_FOUND"


class JobNotCancellable(EcolaneError):
    """The job has left the queue. Detail: `status`."""

    reason = "JOB_NOT_CANCELLABLE"


class JobNotUpgradable(EcolaneError):
    """The job has left the queue. Detail: `status`."""

    reason = "JOB_NOT_UPGRADABLE"


class DataDamaged(EcolaneError):
    """A document that the call needs is damaged. Nothing was done; calling again helps only after operators' repair."""

    reason = "DATA_DAMAGED"


class StoreUnavailable(EcolaneError):
    """The store did not answer in time; the call may have taken effect. Detail: `retryAfter`, in seconds."""

    reason = "STORE_UNAVAILABLE"


class ProviderUnavailable(EcolaneError):
    """The AI provider gave no usable answer. The charge is refunded. Detail: `retryAfter`, in seconds."""

    reason = "PROVIDER_UNAVAILABLE"
