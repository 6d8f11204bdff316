"""What can go wrong on request; how a fault is selected and counted is `localcloud.standins.faults`."""

from localcloud.standins.faults import WEBHOOKS

KINDS: dict[str, tuple[str, str, str]] = {
    "rate_limited": ("request", "*", "429 rate_limit_exceeded with `retry-after: retry_after` seconds"),
    "insufficient_quota": ("request", "*", "429 insufficient_quota, which no retry heals"),
    "server_error": ("request", "*", "500"),
    "bad_gateway": ("request", "*", "502 with an HTML body"),
    "unavailable": ("request", "*", "503"),
    "refused": ("request", "*", "`status` with the error code `code`"),
    "error_in_success": ("request", "*", "200 with an error object, its code `status`, in place of choices"),
    "not_found": ("request", "GET /v1/files/*", "404, as for a file that is not there yet"),
    "timeout": ("request", "*", "no answer until the caller gives up, at most `seconds`"),
    "connection_reset": ("request", "*", "connection reset before anything was done"),
    "malformed_json": ("reply", "*", "200 with a body that is cut in the middle"),
    "reply_lost": ("reply", "POST *", "the effect is done, then the connection is reset"),
    "refusal": ("answer", "*", "a refusal instead of content"),
    "cut_answer": ("answer", "*", "half the content with finish_reason length"),
    "fenced_answer": ("answer", "*", "the JSON in a code fence with chatter around it"),
    "empty_choices": ("answer", "*", "no choices at all"),
    "content_filter": ("answer", "*", "400 content_filter, as Azure's filter refuses a prompt"),
    "answer_text": ("answer", "*", "`text` as the content, whatever was asked for"),
    "line_error": ("line", "*", "the line fails with `status` and `code` (into the output file with `in_output`)"),
    "missing_line": ("line", "*", "the line is in neither file"),
    "duplicate_line": ("line", "*", "the line is there twice"),
    "unknown_line": ("line", "*", "one more line with a custom_id that nobody sent"),
    "batch_invalid_line": ("batch", "*", "validation finds line `line` not to be JSON: the batch fails"),
    "batch_token_limit": ("batch", "*", "the batch fails with token_limit_exceeded"),
    "batch_stuck": ("batch", "*", "stays in `state` for `minutes` longer (None: until it expires)"),
    "batch_expires": ("batch", "*", "only `share` of the lines are ever worked off, then the batch expires"),
    "batch_cancelled": ("batch", "*", "OpenAI cancels it after `share` of the lines"),
    "files_late": ("batch", "*", "ended, but its files are not named for `minutes` (None: never)"),
    "batch_minutes": ("batch", "*", "this batch takes `minutes`"),
    **WEBHOOKS,
}
"""Kind -> (the point where it is consulted, default endpoint pattern, what it does)."""
