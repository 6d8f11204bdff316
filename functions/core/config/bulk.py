"""What an operator may change of bulk jobs: a part of `config/runtime`."""

from typing import Annotated

from pydantic import Field

from functions.core.shared.records import Record


class BulkRules(Record):
    """How large a bulk job may be; 0 starts none. For how many days it takes photos on before the rest is given back.
    One for any time costs `any_time_percent` of the batch price, and fills `fill_percent` of what has passed of the
    day's budget."""

    photos_max: Annotated[int, Field(ge=0, le=10_000)] = 10_000
    days_max: Annotated[int, Field(ge=1, le=30)] = 7
    any_time_percent: Annotated[int, Field(ge=1, le=100)] = 100
    fill_percent: Annotated[int, Field(ge=1, le=100)] = 60
