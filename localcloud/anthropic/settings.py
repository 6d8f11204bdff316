"""What can be set while the stand-in runs, and the limits that Anthropic documents.

https://platform.claude.com/docs/en/build-with-claude/batch-processing and .../api/overview (request sizes).
"""

from pydantic import BaseModel, ConfigDict, Field

REQUEST_BYTES_MAX = 32 * 1024 * 1024
BATCH_REQUESTS_MAX = 100_000
BATCH_BYTES_MAX = 256 * 1024 * 1024
BATCH_LIFE_SECONDS = 24 * 3600
RESULTS_LIFE_SECONDS = 29 * 24 * 3600
"""Counted from the creation of the batch."""
LIST_MAX = 1_000
LIST_DEFAULT = 20


class Settings(BaseModel):
    """Settings of a running stand-in; the admin endpoint reads and changes them by these names."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    batch_minutes: float = Field(default=20.0, gt=0, le=100_000)
    """How long a batch takes at most; each takes between half of it and all of it, by the seed."""
    latency_ms: float = Field(default=0.0, ge=0, le=60_000)
    """Added to every message served over a socket, as the time a model takes."""
    cache_read_tokens: int = Field(default=0, ge=0)
    """How many input tokens `usage` reports as read from the cache, at most; `input_tokens` is without them."""
    cache_write_tokens: int = Field(default=0, ge=0)
    """How many of the rest it reports as written to the cache, at most; `input_tokens` is without them, too."""
    batch_requests_max: int = Field(default=BATCH_REQUESTS_MAX, ge=1)
    batch_bytes_max: int = Field(default=BATCH_BYTES_MAX, ge=1)
