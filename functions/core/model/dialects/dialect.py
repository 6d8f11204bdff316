"""Which dialect a model is spoken to in."""

from collections.abc import Mapping
from typing import Any, Protocol

from functions.core.model.dialects import anthropic, openai
from functions.core.shared.providers import Provider, split


class Dialect(Protocol):
    """What each module of this folder has."""

    @property
    def BATCH_FRAME(self) -> tuple[bytes, bytes, bytes]: ...  # noqa: N802  (a constant of the modules)

    def completion_request(
        self, model: str, image_url: str, region: str, language: str, *, prompt: str = ..., identifier: str | None = ...
    ) -> dict[str, Any]: ...

    def batch_line(self, custom_id: str, body: dict[str, Any]) -> bytes: ...


_DIALECTS: Mapping[Provider, Dialect] = {
    Provider.OPENAI: openai,
    Provider.AZURE: openai,
    Provider.ANTHROPIC: anthropic,
}


def dialect_of(name: str) -> Dialect:
    """Return the dialect of a model, by its name of `core.shared.providers`."""
    return _DIALECTS[split(name)[0]]
