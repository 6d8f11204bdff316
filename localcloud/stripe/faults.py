"""What can go wrong on request; how a fault is selected and counted is `localcloud.standins.faults`."""

from localcloud.standins.faults import WEBHOOKS

KINDS: dict[str, tuple[str, str, str]] = {
    "rate_limited": ("request", "*", "429 with the code rate_limit"),
    "bad_key": ("request", "*", "401, as for a key that was revoked"),
    "server_error": ("request", "*", "500 api_error"),
    "unavailable": ("request", "*", "503"),
    "not_found": ("request", "GET *", "404 resource_missing, as for an object that is not everywhere yet"),
    "timeout": ("request", "*", "no answer until the caller gives up, at most `seconds`"),
    "connection_reset": ("request", "*", "connection reset before anything was done"),
    "state_stale": ("read", "GET *", "what is read is as it was `seconds` ago"),
    "reply_lost": ("reply", "POST *", "the effect is done, then the connection is reset"),
    "malformed_json": ("reply", "*", "200 with a body that is cut in the middle"),
    **WEBHOOKS,
}
"""Kind -> (the point where it is consulted, default endpoint pattern, what it does)."""
