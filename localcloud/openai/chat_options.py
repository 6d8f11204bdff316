"""Checks the scalar parameters of a chat completion request, and metadata, which batches carry too."""

from typing import Any

from localcloud.openai.errors import invalid, wrong_type

METADATA_PAIRS_MAX = 16
METADATA_KEY_MAX = 64
METADATA_VALUE_MAX = 512
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# These take `max_completion_tokens` only: documented for the o-series, seen on gpt-5, assumed for what followed.
REASONING_MODELS = ("o1", "o3", "o4", "gpt-5", "gpt-6")
_RANGES = {"temperature": (0, 2), "top_p": (0, 1), "frequency_penalty": (-2, 2), "presence_penalty": (-2, 2)}


def check(body: dict[str, Any]) -> None:
    """Check the parameters that shape the answer.

    Raises:
        ApiError: 400; a value is out of range, or the stand-in does not do what it asks for.
    """
    if body.get("stream"):
        raise invalid("The stand-in does not stream: leave 'stream' out.", param="stream", code="unsupported_value")
    if body.get("n") not in {None, 1}:
        raise invalid("The stand-in gives one choice: leave 'n' at 1.", param="n", code="unsupported_value")
    if body.get("reasoning_effort") not in {None, *REASONING_EFFORTS}:
        message = f"Invalid value: '{body['reasoning_effort']}'. Supported values are: {', '.join(REASONING_EFFORTS)}."
        raise invalid(message, param="reasoning_effort", code="invalid_value")
    for name, (low, high) in _RANGES.items():
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise wrong_type(name, "a decimal")
        if not low <= value <= high:
            message = f"Invalid '{name}': expected a value between {low} and {high}, but got {value} instead."
            raise invalid(message, param=name, code="decimal_out_of_range")
    check_metadata(body.get("metadata"))


def tokens_max(body: dict[str, Any], model: str) -> int | None:
    """Return how many tokens the answer may have, or None without a limit.

    Raises:
        ApiError: 400; not a positive integer, or `max_tokens` for a reasoning model.
    """
    if body.get("max_tokens") is not None and model.startswith(REASONING_MODELS):
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise invalid(message, param="max_tokens", code="unsupported_parameter")
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type(name, "an integer")
        if value < 1:
            message = f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {value} instead."
            raise invalid(message, param=name, code="integer_below_min_value")
        return value
    return None


def check_metadata(metadata: object) -> dict[str, str]:
    """Return metadata that keeps OpenAI's limits: 16 pairs, keys of 64 and values of 512 characters.

    Raises:
        ApiError: 400; one of the limits is passed, or a value is not text.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise wrong_type("metadata", "an object")
    if len(metadata) > METADATA_PAIRS_MAX:
        message = (
            f"Invalid 'metadata': too many properties. Expected at most {METADATA_PAIRS_MAX}, got {len(metadata)}."
        )
        raise invalid(message, param="metadata", code="object_above_max_properties")
    for key, value in metadata.items():
        if len(key) > METADATA_KEY_MAX:
            message = f"Invalid 'metadata': key '{key}' is longer than {METADATA_KEY_MAX} characters."
            raise invalid(message, param="metadata", code="string_above_max_length")
        if not isinstance(value, str):
            raise wrong_type(f"metadata.{key}", "a string")
        if len(value) > METADATA_VALUE_MAX:
            message = f"Invalid 'metadata.{key}': string too long. Expected at most {METADATA_VALUE_MAX} characters."
            raise invalid(message, param=f"metadata.{key}", code="string_above_max_length")
    return metadata
