"""What an answer costs by the provider's own report, and which reports nobody should believe."""

from dataclasses import dataclass
from typing import Protocol

from functions.core.model.usage import ModelPrice, Usage, cost_micros

BELIEVED_TIMES = 4
"""Above this many times its hold, a reported cost is a slip and not a bill: the hold is booked. Up to it the report is
believed, whatever it is made of: the books follow the invoice."""


class Billed(Protocol):
    """What is known of an answer's bill: no `usage` if there was no answer, or, if `unreported`, none that says so."""

    @property
    def usage(self) -> Usage | None: ...
    @property
    def unreported(self) -> bool: ...


@dataclass(frozen=True)
class Terms:
    """What an answer is bought at: `most_micros` is its hold, `percent` of its estimate. Without a `price` of its lane,
    which was known when it was asked for and is not now, it costs its hold."""

    model: str
    price: ModelPrice | None
    most_micros: int
    percent: int = 100

    def cost_micros(self, answer: Billed) -> int:
        """Return what an answer cost, useless ones included: the hold if its report is missing or implausible."""
        if (usage := self.believed(answer)) is not None:
            return self.reported_micros(usage)
        return self.most_micros if answer.usage is not None or answer.unreported else 0

    def believed(self, answer: Billed) -> Usage | None:
        """Return the usage that an answer reports, None if it reports none or an implausible one."""
        return answer.usage if answer.usage is not None and not self.finds_implausible(answer.usage) else None

    def finds_implausible(self, usage: Usage) -> bool:
        """Whether this cannot be what an answer took."""
        return self.reported_micros(usage) > BELIEVED_TIMES * self.most_micros

    def reported_micros(self, usage: Usage) -> int:
        """Return what an answer cost if its report is true."""
        return cost_micros(usage, self.price) if self.price else self.most_micros


@dataclass
class UsageAnomalies:
    """Costs that an operator should know of: counts of `unreported` and implausible (`absurd`) ones, and by how much
    the latter exceed what is booked; `percent`: highest plausible cost as % of its estimate, 0 if none exceeded its
    hold. `job_id` is one of them, `model` answered them all."""

    unreported: int = 0
    absurd: int = 0
    absurd_micros: int = 0
    percent: int = 0
    job_id: str = ""
    model: str = ""

    def add(self, job_id: str, answer: Billed, terms: Terms) -> None:
        """Look at one more answer."""
        percent = 0
        if answer.usage is None:
            self.unreported += answer.unreported
        elif terms.price is None:
            self.unreported += 1
        elif terms.finds_implausible(answer.usage):
            self.absurd += 1
            self.absurd_micros += terms.reported_micros(answer.usage) - terms.most_micros
        elif terms.reported_micros(answer.usage) > terms.most_micros:
            percent = -(-terms.percent * terms.reported_micros(answer.usage) // max(terms.most_micros, 1))
        self.percent = max(self.percent, percent)
        if self and not self.job_id:
            self.job_id, self.model = job_id, terms.model

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.unreported or self.absurd or self.percent)
