"""The limits that members can have."""

from typing import Annotated

from pydantic import Field

MonthlyLimit = Annotated[int, Field(ge=0, le=1_000_000)]
"""Tokens that a member may spend of the team's in a UTC month."""
