"""One attempt at one photo: what the provider answered, what that costs, and what becomes of the job. Same in both
lanes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from functions.core.answers import Completion, Unusable, parse_answer
from functions.core.classification import Answer, classify_as
from functions.core.jobs import RETRYABLE, Failure, Fields, JobError, done
from functions.core.prompts import PROMPT_VERSION
from functions.core.usage import UNREPORTED, ModelPrice, Usage, cost_micros


@dataclass(frozen=True)
class Attempt:
    """Either an answer or an error. `usage` is what the provider bills for it: None if it never came to an answer."""

    answer: Answer | None = None
    error: JobError | None = None
    usage: Usage | None = None

    @property
    def retryable(self) -> bool:
        """Whether another attempt may end better."""
        return self.error is not None and self.error.code in RETRYABLE


@dataclass(frozen=True)
class Terms:
    """What an answer is bought at."""

    model: str
    price: ModelPrice
    batch: bool

    def cost_micros(self, attempt: Attempt) -> int:
        """Return what an attempt cost, useless ones included."""
        return cost_micros(attempt.usage, self.price, batch=self.batch) if attempt.usage else 0


class Photo(Protocol):
    """What a job and a batch's record of it have in common."""

    @property
    def region(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def cost_micros(self) -> int: ...


def failed_attempt(code: Failure, message: str) -> Attempt:
    """Return an attempt that came to no answer, and that nobody has to pay for."""
    return Attempt(error=JobError(code=code, message=message))


def judge(completion: Completion) -> Attempt:
    """Return what a completion is worth. One that does not say what it cost is booked at the safe side, never free."""
    usage = completion.usage or UNREPORTED
    try:
        return Attempt(answer=parse_answer(completion), usage=usage)
    except Unusable as problem:
        return Attempt(error=JobError(code=Failure.ANSWER_UNUSABLE, message=str(problem)), usage=usage)


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
    return done(result, attempt.usage or UNREPORTED, photo.cost_micros + terms.cost_micros(attempt), now)
