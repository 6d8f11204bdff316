"""One attempt at one photo, in either lane: what the provider answered, its cost, and what becomes of the job."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from functions.core.budget.anomalies import Terms
from functions.core.jobs.jobs import RETRYABLE, Failure, JobError
from functions.core.jobs.legs import Came, Tried
from functions.core.jobs.transitions import done
from functions.core.model.classification import Answer, classify_as
from functions.core.model.parsing import Completion, Unusable, parse_answer
from functions.core.model.prompts import PROMPT_VERSION
from functions.core.model.trust import trusted
from functions.core.model.usage import Usage
from functions.core.shared.records import Fields


@dataclass(frozen=True)
class Attempt:
    """Either an answer or an error; `refused` if the model or the provider's rules are against this photo. `usage` is
    the bill: None if there was no answer, or, if `unreported`, it is unknown."""

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


class Photo(Protocol):
    """What a job and a batch's record of it have in common."""

    @property
    def region(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def cost_micros(self) -> int: ...


def tried(attempt: Attempt, terms: Terms) -> Tried:
    """Return what came of asking one provider."""
    down = attempt.error is not None and attempt.error.code is Failure.PROVIDER_UNAVAILABLE
    came = Came.DOUBTFUL if attempt.unreported else Came.DOWN if down else Came.ANSWERED
    return Tried(model=terms.model, came=came, micros=terms.cost_micros(attempt))


def failed_attempt(code: Failure, cause: str, *, unreported: bool = False, refused: bool = False) -> Attempt:
    """Return an attempt without an answer. It costs nothing unless `unreported`: the provider may have answered, and
    billed."""
    return Attempt(error=JobError(code=code, message=cause), unreported=unreported, refused=refused)


def judge(completion: Completion) -> Attempt:
    """Return what a completion is worth. Without a usage it is booked at its hold, never free. A refusal is final: the
    same photo would be refused, and paid for, again."""
    usage, unreported = completion.usage, completion.usage is None
    try:
        return Attempt(answer=trusted(parse_answer(completion)), usage=usage, unreported=unreported)
    except Unusable as problem:
        code = Failure.PROVIDER_REJECTED if completion.refused else Failure.ANSWER_UNUSABLE
        failed = failed_attempt(code, str(problem), unreported=unreported, refused=completion.refused)
        return replace(failed, usage=usage)


def answered(
    answer: Answer,
    attempt: Attempt,
    photo: Photo,
    terms: Terms,
    now: datetime,
    prompt_version: str = PROMPT_VERSION,
    tried: Sequence[Tried] = (),
    side_max: int | None = None,
) -> Fields:
    """Return the fields that make a job done: the result, and the cost of this attempt and those before it, those at
    other providers as they were `tried`."""
    lost = sum(leg.micros for leg in tried[:-1])
    result = classify_as(
        answer,
        region=photo.region,
        language=photo.language,
        model=terms.model,
        prompt_version=prompt_version,
        side_max=side_max,
        now=now,
    )
    return done(result, terms.believed(attempt), photo.cost_micros + lost + terms.cost_micros(attempt), now, tried)
