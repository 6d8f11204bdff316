"""One attempt at one photo: what the provider answered, what that costs, and what becomes of the job. Same in both
lanes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from functions.core.answers import Completion, Unusable, parse_answer
from functions.core.classification import Answer, classify_as
from functions.core.jobs import RETRYABLE, Failure, JobError
from functions.core.prompts import PROMPT_VERSION
from functions.core.records import Fields
from functions.core.transitions import done
from functions.core.usage import ModelPrice, Usage, cost_micros

BELIEVED_TIMES = 4
"""Beyond this many times the most that a call can cost, what the provider reports is taken for a slip and not for a
bill. Up to it a report is believed, whatever was held: the books follow the invoice."""


@dataclass(frozen=True)
class Attempt:
    """Either an answer or an error. `usage` is what the provider bills for it: None if it never came to an answer, or
    if that is not known, and then `unreported` is true."""

    answer: Answer | None = None
    error: JobError | None = None
    usage: Usage | None = None
    unreported: bool = False

    @property
    def retryable(self) -> bool:
        """Whether another attempt may end better."""
        return self.error is not None and self.error.code in RETRYABLE


@dataclass(frozen=True)
class Terms:
    """What an answer is bought at; `most_micros` is the most that it can cost, which is held back for it."""

    model: str
    price: ModelPrice
    batch: bool
    most_micros: int

    def cost_micros(self, attempt: Attempt) -> int:
        """Return what an attempt cost, useless ones included. One that does not say so, or not believably, is booked at
        the most that it can have cost."""
        if attempt.usage is None:
            return self.most_micros if attempt.unreported else 0
        cost = cost_micros(attempt.usage, self.price, batch=self.batch)
        return cost if cost <= BELIEVED_TIMES * self.most_micros else self.most_micros

    def doubts(self, attempt: Attempt) -> bool:
        """Whether an operator should look at what this attempt is said to have cost."""
        if attempt.usage is None:
            return attempt.unreported
        return cost_micros(attempt.usage, self.price, batch=self.batch) > self.most_micros


class Photo(Protocol):
    """What a job and a batch's record of it have in common."""

    @property
    def region(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def cost_micros(self) -> int: ...


def failed_attempt(code: Failure, message: str, *, unreported: bool = False) -> Attempt:
    """Return an attempt that came to no answer. Nobody has to pay for it, unless it is `unreported`: then the provider
    may have answered, and billed, all the same."""
    return Attempt(error=JobError(code=code, message=message), unreported=unreported)


def judge(completion: Completion) -> Attempt:
    """Return what a completion is worth. One that does not say what it cost is booked at the safe side, never free."""
    usage, unreported = completion.usage, completion.usage is None
    try:
        return Attempt(answer=parse_answer(completion), usage=usage, unreported=unreported)
    except Unusable as problem:
        error = JobError(code=Failure.ANSWER_UNUSABLE, message=str(problem))
        return Attempt(error=error, usage=usage, unreported=unreported)


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
