"""One key, one request: the same key with the same payload gets the same answer, with another payload an error."""

from collections.abc import Mapping

from functions.core.shared.errors import KeyReused


def require_same_payload(stored: Mapping[str, object], wanted: Mapping[str, object]) -> None:
    """Check that a repeated key has its first payload, by the client's names. KeyReused names the first field that
    differs."""
    for field, value in wanted.items():
        if stored.get(field) != value:
            raise KeyReused(
                f"This requestId was used before with another {field}. Use a new requestId for a new request.",
                field=field,
            )
