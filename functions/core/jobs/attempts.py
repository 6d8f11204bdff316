"""One attempt at one photo: what the provider answered, what that costs, and what becomes of the job. Same in both
lanes."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from functions.core.jobs.jobs import RETRYABLE, Failure, JobError
from functions.core.jobs.transitions import done
from functions.core.model.classification import Answer, classify_as
from functions.core.model.parsing import Completion, Unusable, parse_answer
from functions.core.model.prompts import PROMPT_VERSION
from functions.core.model.trust import trusted
from functions.core.model.usage import ModelPrice, Usage, cost_micros
from functions.core.shared.records import Fields

BELIEVED_TIMES = 4
"""Beyond this many times what was held, what the provider reports is taken for a slip and not for a bill: what was held
is booked. Up to it a report is believed, whatever it is made of: the books follow the invoice."""


@dataclass(frozen=True)
class Attempt:
    """Either an answer or an error; `refused` if the model, or the provider's rules, are against this photo. `usage` is
    what the provider bills for it: None if it never came to an answer, or if that is not known, and then `unreported`
    is true."""

    answer: Answer | None = None
    error: JobError | None = None
    usage: Usage | None = None
    unreported: bool = False
    refused: bool = False

    @property
    def billed(self) -> bool:
        """Whether the provider bills for it, or may."""
        return self.usage is not None or self.unreported

    @property
    def retryable(self) -> bool:
        """Whether another attempt may end better."""
        return self.error is not None and self.error.code in RETRYABLE


@dataclass(frozen=True)
class Terms:
    """What an answer is bought at; `most_micros` is the most that it can cost, which is held back for it: `percent` of
    its estimate. Without a `price`, which was known when it was asked for and is not now, that is what it costs."""

    model: str
    price: ModelPrice | None
    batch: bool
    most_micros: int
    percent: int = 100

    def cost_micros(self, attempt: Attempt) -> int:
        """Return what an attempt cost, useless ones included. One that does not say so, or not believably, is booked at
        the most that it can have cost."""
        if attempt.usage is None:
            return self.most_micros if attempt.unreported else 0
        return self.most_micros if self.finds_implausible(attempt.usage) else self.reported_micros(attempt.usage)

    def finds_implausible(self, usage: Usage) -> bool:
        """Whether this cannot be what an answer took."""
        return self.reported_micros(usage) > BELIEVED_TIMES * self.most_micros

    def reported_micros(self, usage: Usage) -> int:
        """Return what an answer cost if its report is true."""
        return cost_micros(usage, self.price, batch=self.batch) if self.price else self.most_micros


@dataclass
class UsageAnomalies:
    """What an operator should know of the costs of some answers: how many had none reported, or an absurd one, and by
    how much the absurd ones would pass what is booked for them, if they were true; and how many percent of its estimate
    the dearest came to that is believed, 0 if none was above what was held. `job_id` is one of them, `model` the one
    that gave them all."""

    unreported: int = 0
    absurd: int = 0
    absurd_micros: int = 0
    percent: int = 0
    job_id: str = ""
    model: str = ""

    def add(self, job_id: str, attempt: Attempt, terms: Terms) -> None:
        """Look at one more answer."""
        percent = 0
        if attempt.usage is None:
            self.unreported += attempt.unreported
        elif terms.price is None:
            self.unreported += 1
        elif terms.finds_implausible(attempt.usage):
            self.absurd += 1
            self.absurd_micros += terms.reported_micros(attempt.usage) - terms.most_micros
        elif terms.reported_micros(attempt.usage) > terms.most_micros:
            percent = -(-terms.percent * terms.reported_micros(attempt.usage) // max(terms.most_micros, 1))
        self.percent = max(self.percent, percent)
        if self and not self.job_id:
            self.job_id, self.model = job_id, terms.model

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.unreported or self.absurd or self.percent)


class Photo(Protocol):
    """What a job and a batch's record of it have in common."""

    @property
    def region(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def cost_micros(self) -> int: ...


def failed_attempt(code: Failure, cause: str, *, unreported: bool = False, refused: bool = False) -> Attempt:
    """Return an attempt that came to no answer. Nobody has to pay for it, unless it is `unreported`: then the provider
    may have answered, and billed, all the same."""
    return Attempt(error=JobError(code=code, message=cause), unreported=unreported, refused=refused)


def judge(completion: Completion) -> Attempt:
    """Return what a completion is worth. One that does not say what it cost is booked at the safe side, never free.

    A refusal is final: the same photo would be refused again, and paid for again.
    """
    usage, unreported = completion.usage, completion.usage is None
    try:
        return Attempt(answer=trusted(parse_answer(completion)), usage=usage, unreported=unreported)
    except Unusable as problem:
        code = Failure.PROVIDER_REJECTED if completion.refused else Failure.ANSWER_UNUSABLE
        failed = failed_attempt(code, str(problem), unreported=unreported, refused=completion.refused)
        return replace(failed, usage=usage)


def answered(answer: Answer, attempt: Attempt, photo: Photo, terms: Terms, now: datetime) -> Fields:
    """Return the fields that make a job done: the result, and the cost of this attempt and those before it."""
    result = classify_as(
        answer,
        region=photo.region,
        language=photo.language,
        model=terms.model,
        prompt_version=PROMPT_VERSION,
        now=now,
    )
    return done(result, attempt.usage, photo.cost_micros + terms.cost_micros(attempt), now)
