"""What OpenAI reports of a batch, and what that means for each of its jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from functions.core.jobs.attempts import Attempt, failed_attempt, judge
from functions.core.jobs.jobs import Failure
from functions.core.model.dialects.openai import error_of, read_completion
from functions.core.model.provider_errors import THE_PHOTOS, Trouble, code_of, trouble_of


class ProviderState(StrEnum):
    """OpenAI's batch states. One that is not on this list is `unknown`: it is waited for, and nothing is guessed."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "ProviderState":
        del value
        return cls.UNKNOWN


ENDED = frozenset({ProviderState.COMPLETED, ProviderState.FAILED, ProviderState.EXPIRED, ProviderState.CANCELLED})
"""States in which the output and error files, as far as there are any, are complete."""


@dataclass(frozen=True)
class ProviderBatch:
    """A batch as OpenAI reports it; `status` is its own word for the state, `answered` and `refused` its counts of
    lines.

    `problem` has OpenAI's codes for a failed validation, `bad_lines` the input lines it names, from 1. `over_limit`:
    refused for what is enqueued already, not for its content. `forgotten`: OpenAI keeps it, or its files, no more.
    """

    openai_batch_id: str
    state: ProviderState
    output_file_id: str | None = None
    error_file_id: str | None = None
    problem: str | None = None
    bad_lines: frozenset[int] = frozenset()
    over_limit: bool = False
    forgotten: bool = False
    answered: int = 0
    refused: int = 0
    status: str = ""

    @property
    def lacks_files(self) -> bool:
        """Whether it has ended, and a file is not named yet in which lines are that OpenAI has counted."""
        unnamed = (self.answered and not self.output_file_id) or (self.refused and not self.error_file_id)
        return self.state in ENDED - {ProviderState.FAILED} and bool(unnamed)


def without_line(reported: ProviderBatch, *, answer_lost: bool = False) -> Attempt:
    """Return the attempt of a job that neither file names: its line was lost, or its batch not processed.
    `answer_lost`: OpenAI counts more answers than its files have, and this is one of those."""
    if reported.forgotten:  # it may have been answered, and billed
        return failed_attempt(Failure.BATCH_EXPIRED, "the provider keeps this photo's answer no more", unreported=True)
    match reported.state:
        case ProviderState.FAILED:
            return failed_attempt(Failure.BATCH_FAILED, f"the batch failed validation: {reported.problem}")
        case ProviderState.CANCELLED if not answer_lost:
            return failed_attempt(Failure.BATCH_EXPIRED, "the batch ended before this photo's turn")
        case ProviderState.EXPIRED | ProviderState.CANCELLED:
            # What an expired batch has not come to is in its error file. A line that is in neither was answered, and
            # its answer lost.
            return failed_attempt(Failure.BATCH_EXPIRED, "the provider lost this photo's answer", unreported=True)
        case _:
            return failed_attempt(Failure.LINE_MISSING, "the provider lost this photo's answer", unreported=True)


def counts_as_attempt(reported: ProviderBatch) -> bool:
    """Whether a job without a line has used up an attempt: not if its batch was refused for another one's fault."""
    return not (reported.state is ProviderState.FAILED and (reported.bad_lines or reported.over_limit))


def read_line(line: Mapping[str, Any]) -> Attempt:
    """Read how the attempt of the job that a line of an output or error file names ended."""
    response, error = line.get("response"), line.get("error")
    if isinstance(response, Mapping) and response.get("status_code") == HTTPStatus.OK and not error:
        body = response.get("body")
        error = error_of(body) if isinstance(body, Mapping) else None
        if not error:
            return judge(read_completion(body if isinstance(body, Mapping) else {}))
    return _failed_line(response, error)


def _failed_line(response: object, error: object) -> Attempt:
    """Say whose fault a line without an answer is. What is wrong stands beside the response, or in its body."""
    if isinstance(error, Mapping) and error.get("code") == "batch_expired":
        return failed_attempt(Failure.BATCH_EXPIRED, "the batch ended before this photo's turn")
    answer = response if isinstance(response, Mapping) else {}
    status, body = answer.get("status_code"), answer.get("body")
    said = error or (body.get("error") if isinstance(body, Mapping) else None)
    told = status if isinstance(status, int) and status != HTTPStatus.OK else None
    trouble, cause = trouble_of(told, said), f"status {told}, code {code_of(said)}"
    if trouble in THE_PHOTOS:
        return failed_attempt(Failure.PROVIDER_REJECTED, cause, refused=trouble is Trouble.POLICY)
    return failed_attempt(Failure.PROVIDER_UNAVAILABLE, cause)
