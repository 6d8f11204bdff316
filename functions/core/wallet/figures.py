"""Types of what is counted and dated in a wallet and its ledger."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field

COUNT_MAX = 10**15
"""More of anything than anybody has. Beyond it is damage, and the store could not add to it."""

Count = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Change = Annotated[int, Field(ge=-COUNT_MAX, le=COUNT_MAX)]


def _period(text: str) -> str:
    date.fromisoformat(text if len(text) > len("2026-11") else f"{text}-01")
    return text


Day = Annotated[str, AfterValidator(_period)]
"""A UTC day, as in `2026-11-21`, or a month, as in `2026-11`."""
