"""What callers, and the log, are told of errors. A use case raises `EcolaneError`; an error of an unreachable Firestore
or Storage becomes one, too. Everything else is a defect: it is logged with its traceback, and its caller is told
nothing about it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from firebase_functions.https_fn import FunctionsErrorCode, HttpsError
from flask import Response, jsonify

from functions import log
from functions.adapters.time_budget import arriving
from functions.core.payments import refusals
from functions.core.shared import errors
from functions.core.teams import refusals as teams
from functions.core.wallet import refusals as accounts
from functions.deploy.params import ConfigurationError

CODES: dict[type[errors.EcolaneError], FunctionsErrorCode] = {
    errors.Unauthenticated: FunctionsErrorCode.UNAUTHENTICATED,
    errors.AppNotVerified: FunctionsErrorCode.UNAUTHENTICATED,
    errors.AuthUnavailable: FunctionsErrorCode.UNAVAILABLE,
    errors.InvalidRequest: FunctionsErrorCode.INVALID_ARGUMENT,
    errors.KeyReused: FunctionsErrorCode.ALREADY_EXISTS,
    accounts.AccountBlocked: FunctionsErrorCode.PERMISSION_DENIED,
    accounts.TeamNotFound: FunctionsErrorCode.NOT_FOUND,
    accounts.MemberLimit: FunctionsErrorCode.RESOURCE_EXHAUSTED,
    teams.NotTeamAdmin: FunctionsErrorCode.PERMISSION_DENIED,
    teams.TeamFull: FunctionsErrorCode.FAILED_PRECONDITION,
    teams.InviteInvalid: FunctionsErrorCode.NOT_FOUND,
    teams.LastOwner: FunctionsErrorCode.FAILED_PRECONDITION,
    refusals.PurchaseNotHere: FunctionsErrorCode.FAILED_PRECONDITION,
    refusals.UnknownProduct: FunctionsErrorCode.NOT_FOUND,
    refusals.AlreadySubscribed: FunctionsErrorCode.FAILED_PRECONDITION,
    refusals.NothingBought: FunctionsErrorCode.NOT_FOUND,
    refusals.PaymentMethodNeeded: FunctionsErrorCode.FAILED_PRECONDITION,
    refusals.SpendingLimit: FunctionsErrorCode.RESOURCE_EXHAUSTED,
    refusals.BillingUnavailable: FunctionsErrorCode.UNAVAILABLE,
    accounts.MonthlyLimit: FunctionsErrorCode.RESOURCE_EXHAUSTED,
    accounts.PlanRequired: FunctionsErrorCode.FAILED_PRECONDITION,
    accounts.AccountDeleted: FunctionsErrorCode.PERMISSION_DENIED,
    errors.InsufficientTokens: FunctionsErrorCode.FAILED_PRECONDITION,
    errors.PriceChanged: FunctionsErrorCode.FAILED_PRECONDITION,
    errors.SettingsChanged: FunctionsErrorCode.FAILED_PRECONDITION,
    errors.DailyLimit: FunctionsErrorCode.RESOURCE_EXHAUSTED,
    errors.ConversionLimit: FunctionsErrorCode.RESOURCE_EXHAUSTED,
    errors.RateLimited: FunctionsErrorCode.RESOURCE_EXHAUSTED,
    errors.InstantClosed: FunctionsErrorCode.FAILED_PRECONDITION,
    errors.BudgetExhausted: FunctionsErrorCode.RESOURCE_EXHAUSTED,
    errors.NotAdmin: FunctionsErrorCode.PERMISSION_DENIED,
    errors.InvalidImage: FunctionsErrorCode.INVALID_ARGUMENT,
    errors.PhotoRefused: FunctionsErrorCode.INVALID_ARGUMENT,
    errors.ImageNotFound: FunctionsErrorCode.NOT_FOUND,
    errors.NotYourImage: FunctionsErrorCode.PERMISSION_DENIED,
    errors.JobNotFound: FunctionsErrorCode.NOT_FOUND,
    errors.JobNotCancellable: FunctionsErrorCode.FAILED_PRECONDITION,
    errors.JobNotUpgradable: FunctionsErrorCode.FAILED_PRECONDITION,
    errors.DataDamaged: FunctionsErrorCode.DATA_LOSS,
    errors.StoreUnavailable: FunctionsErrorCode.UNAVAILABLE,
    errors.ProviderUnavailable: FunctionsErrorCode.UNAVAILABLE,
}
"""The Firebase code of each error. The app switches on `details.reason`; the code sets the HTTP status."""

STATUS = {
    FunctionsErrorCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    FunctionsErrorCode.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    FunctionsErrorCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    FunctionsErrorCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    FunctionsErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    FunctionsErrorCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    FunctionsErrorCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    FunctionsErrorCode.DATA_LOSS: HTTPStatus.INTERNAL_SERVER_ERROR,
    FunctionsErrorCode.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    FunctionsErrorCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The HTTP status of each code in use, as google/rpc/code.proto has it."""

STORE_RETRY_SECONDS = 10
"""After how long the app is told to repeat a call that the store did not answer."""


@contextmanager
def errors_to_https(function: str) -> Iterator[None]:
    """Turn a callable's errors into its caller's answer, and the log. Raises HttpsError with `details.reason`, a
    constant, and the details in the error class's docstring."""
    with log.serving(function), arriving():
        try:
            yield
        except Exception as error:
            raise https_error(error) from error


def https_error(error: Exception) -> HttpsError:
    """Return what the caller is told of an error that was just caught, and log it."""
    if isinstance(error, errors.EcolaneError):
        log.info(log.Event.CALL_REFUSED, reason=error.reason)
        return _refusal(error)
    from functions.adapters.transient_errors import will_pass

    if will_pass(error):
        log.warning(log.Event.STORE_UNAVAILABLE, stack_trace=traceback.format_exc())
        message = "Our store did not answer. Nothing was lost; try again with the same requestId."
        return _refusal(errors.StoreUnavailable(message, retryAfter=STORE_RETRY_SECONDS))
    report(log.Event.CALL_CRASHED, error)
    message = "Something went wrong on our side. Nothing was lost; try again with the same requestId."
    return HttpsError(FunctionsErrorCode.INTERNAL, message, {"reason": "INTERNAL"})


def _refusal(error: errors.EcolaneError) -> HttpsError:
    return HttpsError(CODES[type(error)], error.message, {"reason": error.reason, **error.details})


def error_body(error: HttpsError) -> dict[str, Any]:
    """Return an error as the protocol of callables has it."""
    return {"status": error.code.name, "message": error.message, "details": error.details}


def https_response(error: HttpsError) -> Response:
    """Return an error as the answer of a call."""
    response = jsonify(error=error_body(error))
    response.status_code = STATUS[error.code]
    return response


def report(event: log.Event, error: Exception) -> log.Event:
    """Log a defect with its traceback; a wrong setting by its message, which says what to do. Returns the event."""
    if isinstance(error, ConfigurationError):
        event = log.Event.CONFIG_INVALID
        log.error(event, document="deploy params", problems=[str(error)])
    else:
        log.error(event, stack_trace=traceback.format_exc())
    return event
