"""Whose fault it is that the provider did not do what was asked: the photo's, ours, or theirs.

One table for every refusal: a call's, a batch line's, a batch's. A photo is blamed only in words about a photo: its
owner has to take another one, and it is never sent again. Everything else, also the unknown, is for the operator or
will pass.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum


class Trouble(StrEnum):
    """What is the matter, by who can do something about it."""

    PHOTO = "photo"
    """The owner of the photo: with another one."""

    POLICY = "policy"
    """The same: what it shows is against the provider's rules."""

    KEY_REFUSED = "key_refused"
    """The operator: with another API key, or another right for it."""

    QUOTA = "quota"
    """The operator: by paying, or with a higher limit at the provider."""

    CONFIGURATION = "configuration"
    """The operator or a release: the model, the base URL or the request is not what the provider takes."""

    OVERLOADED = "overloaded"
    """The provider, by itself, later."""

    UNREACHABLE = "unreachable"
    """Nobody was met, or what answered is not the provider; also a provider that did not reach a photo by its link."""


THE_PHOTOS = frozenset({Trouble.PHOTO, Trouble.POLICY})
"""What another attempt with the same photo meets again."""

TROUBLES: Mapping[str, Trouble] = {
    # https://github.com/openai/openai-python/blob/main/src/openai/types/responses/response_error.py. The others of its
    # image codes are not the photo's: they are about reading a link, which was ours.
    **dict.fromkeys(
        (
            "invalid_image",
            "invalid_image_format",
            "invalid_base64_image",
            "invalid_image_mode",
            "image_too_large",
            "image_too_small",
            "image_parse_error",
            "image_file_too_large",
            "unsupported_image_media_type",
            "empty_image_file",
        ),
        Trouble.PHOTO,
    ),
    # "Flagged as potentially violating our usage policy" is `invalid_prompt`: what varies in ours is the photo.
    **dict.fromkeys(("image_content_policy_violation", "bio_policy", "invalid_prompt"), Trouble.POLICY),
    **dict.fromkeys(("invalid_image_url", "failed_to_download_image", "image_file_not_found"), Trouble.UNREACHABLE),
    # OpenAI and Azure; https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter
    **dict.fromkeys(
        ("content_filter", "content_policy_violation", "moderation_blocked", "ResponsibleAIPolicyViolation"),
        Trouble.POLICY,
    ),
    # `error_type` of https://openrouter.ai/docs/api/reference/errors-and-debugging
    **dict.fromkeys(("unsupported_image_format", "payload_too_large"), Trouble.PHOTO),
    "refusal": Trouble.POLICY,
    **dict.fromkeys(("image_not_found", "image_download_failed"), Trouble.UNREACHABLE),
    # https://platform.openai.com/docs/guides/error-codes, and API_KEY_INVALID of Gemini, which comes with a 400
    **dict.fromkeys(
        ("invalid_api_key", "account_deactivated", "ip_not_authorized", "API_KEY_INVALID"), Trouble.KEY_REFUSED
    ),
    **dict.fromkeys(
        ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "payment_required"), Trouble.QUOTA
    ),
    # A model that a key may not use comes with a 403, one that does not exist with a 404, from Azure by its own name.
    **dict.fromkeys(("model_not_found", "DeploymentNotFound"), Trouble.CONFIGURATION),
}
"""What the words of a provider's error mean. A word counts whatever the status is: a 400 may be about the account."""

_STATUSES: Mapping[int, Trouble] = {
    401: Trouble.KEY_REFUSED,
    402: Trouble.QUOTA,
    403: Trouble.KEY_REFUSED,
    408: Trouble.OVERLOADED,
    409: Trouble.OVERLOADED,
    413: Trouble.PHOTO,
    425: Trouble.OVERLOADED,
    429: Trouble.OVERLOADED,
}
"""What a status means whose error says nothing that is known."""

_CODE = re.compile(r"[A-Za-z]{1,40}(_[A-Za-z0-9]{1,24}){0,5}|\d{3}")
"""What looks like a code and not like a key, a sentence or worse. It gets into logs, documents and terminals."""


def trouble_of(status: int | None, error: object = None) -> Trouble:
    """Return what this status and error object mean. Without a status, the error's own counts: OpenRouter's come with a
    200."""
    if status is None and isinstance(error, Mapping) and error.get("code") in range(400, 600):
        status = error["code"]
    known = next((TROUBLES[word] for word in _words(error) if word in TROUBLES), None)
    if known is not None:
        return known
    if status is None:
        return Trouble.UNREACHABLE
    if status in _STATUSES:
        return _STATUSES[status]
    return Trouble.OVERLOADED if status >= 500 else Trouble.CONFIGURATION


def code_of(error: object) -> str | None:
    """Return the word to look an error up by at the provider: a known one, else the first; None if none is fit to be
    kept."""
    fit = [word for word in _words(error) if _CODE.fullmatch(word)]
    return next((word for word in fit if word in TROUBLES), next(iter(fit), None))


def _words(error: object) -> Iterator[str]:
    """Yield an error's words, the most telling ones first: OpenAI's `code` and `type`, Azure's `innererror`,
    OpenRouter's `metadata` beside a status in `code`, Gemini's `status` and `details`."""
    if isinstance(error, list) and error and isinstance(error[0], Mapping):
        error = error[0].get("error")  # Gemini puts its error object into a list
    if not isinstance(error, Mapping):
        return
    details = error.get("details")
    nested = [error.get("innererror"), error.get("metadata"), *(details if isinstance(details, list) else [])]
    parts = [part for part in nested if isinstance(part, Mapping)]
    for value in (
        error.get("code"),
        *(part.get(name) for part in parts for name in ("code", "error_type", "reason")),
        error.get("status"),
        error.get("type"),
    ):
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield str(value)
