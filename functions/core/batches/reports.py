"""What a provider reports of a batch, and what that means for each of its jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from functions.core.jobs.attempts import Attempt, failed_attempt, judge
from functions.core.jobs.jobs import Failure
from functions.core.model.dialects import anthropic
from functions.core.model.dialects.openai import error_of, read_completion
from functions.core.model.provider_errors import THE_PHOTOS, Trouble, code_of, trouble_of
from functions.core.model.refusals import ProviderError
from functions.core.shared.providers import Provider


class ProviderState(StrEnum):
    """OpenAI's batch states, into which Anthropic's are translated. One that is not on this list is `unknown`: it is
    waited for, and nothing is guessed."""

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
    """A batch as its provider reports it; `status` is its own word for the state, `answered` and `refused` its counts
    of lines. `one_file`: the output file has all lines, refused ones too.

    `problem` has OpenAI's codes for a failed validation, `bad_lines` the input lines it names, from 1. `over_limit`:
    refused for what is enqueued already, not for its content. `forgotten`: its provider keeps it, or its files, no
    more.
    """

    provider_batch_id: str
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
    one_file: bool = False

    @property
    def lacks_files(self) -> bool:
        """Whether it has ended, and a file is not named yet in which lines are that OpenAI has counted."""
        refusals = self.output_file_id if self.one_file else self.error_file_id
        unnamed = (self.answered and not self.output_file_id) or (self.refused and not refusals)
        return self.state in ENDED - {ProviderState.FAILED} and bool(unnamed)


def without_line(reported: ProviderBatch, *, answer_lost: bool = False) -> Attempt:
    """Return the attempt of a job that neither file names: its line was lost, or its batch not processed.
    `answer_lost`: the provider counts more answers than its files have, and this is one of those."""
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


def read_line(line: Mapping[str, Any], provider: Provider) -> Attempt:
    """Read how the attempt of the job ended that a line of a provider's results names."""
    return _read_result(line.get("result")) if provider is Provider.ANTHROPIC else _read_response(line)


def _read_result(result: object) -> Attempt:
    """Read what Anthropic says of a request: its message, an error that is not billed, or why it was not come to."""
    result = result if isinstance(result, Mapping) else {}
    match result.get("type"):
        case "succeeded":
            try:
                return judge(anthropic.read_completion(result.get("message")))
            except ProviderError as problem:
                return failed_attempt(Failure.PROVIDER_UNAVAILABLE, str(problem), unreported=True)
        case "errored":
            trouble, code = anthropic.trouble_in(result.get("error"))
            return _refused_line(trouble, f"code {code}")
        case "expired" | "canceled":
            return failed_attempt(Failure.BATCH_EXPIRED, "the batch ended before this photo's turn")
    return failed_attempt(Failure.ANSWER_UNUSABLE, "a result of an unknown kind", unreported=True)


def _read_response(line: Mapping[str, Any]) -> Attempt:
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
    return _refused_line(trouble_of(told, said), f"status {told}, code {code_of(said)}")


def _refused_line(trouble: Trouble, cause: str) -> Attempt:
    if trouble in THE_PHOTOS:
        return failed_attempt(Failure.PROVIDER_REJECTED, cause, refused=trouble is Trouble.POLICY)
    return failed_attempt(Failure.PROVIDER_UNAVAILABLE, cause)
