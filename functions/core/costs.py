"""The days' books as operators read them: a row for each day, lane and model."""

from collections.abc import Mapping
from typing import Any

from functions.core.guard import DayBook

COLUMNS = ("day", "lane", "model", "micros")


def cost_rows(books: Mapping[str, DayBook]) -> list[dict[str, Any]]:
    """Return what was spent, oldest day first, in micro-dollars. A row sums what is settled; what is held is not in
    it."""
    return [
        {"day": day, "lane": lane, "model": model, "micros": micros}
        for day, book in sorted(books.items())
        for lane, models in sorted(book.costs.items())
        for model, micros in sorted(models.items())
    ]
