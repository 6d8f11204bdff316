"""Push notifications through Firebase Cloud Messaging."""

from collections.abc import Sequence
from dataclasses import dataclass

from firebase_admin import messaging
from firebase_admin.exceptions import InvalidArgumentError

from functions.core.wallet.profile import PushSummary

MESSAGES_MAX = 500
"""What FCM takes in one call."""


@dataclass(frozen=True)
class Sent:
    """How many devices were reached, and the tokens that lead nowhere any more, each with its user's id."""

    reached: int = 0
    dead: tuple[tuple[str, str], ...] = ()


class PushMessaging:
    """Sends pushes. The text is the app's: a push carries counts, and the app has the user's language."""

    def send(self, news: Sequence[PushSummary]) -> Sent:
        """Tell users how their photos ended. A stale token is no error. Raises firebase_admin.exceptions.FirebaseError
        if messaging cannot be reached at all."""
        return _sent([((item.uid, token), _message(token, item)) for item in news for token in item.push_tokens])

    def alert(self, targets: Sequence[tuple[str, str]], kind: str, day: str, text: str) -> Sent:
        """Push an alert to operators' devices, each a uid and a token. Errors are those of `send`."""
        data = {"event": "operator_alert", "kind": kind, "day": day, "text": text}
        messages = [(target, messaging.Message(token=target[1], data=data)) for target in targets]
        return _sent(messages[:MESSAGES_MAX])


def _sent(messages: Sequence[tuple[tuple[str, str], messaging.Message]]) -> Sent:
    """Send messages, each with its user's id and token."""
    reached, dead = 0, []
    for start in range(0, len(messages), MESSAGES_MAX):
        some = messages[start : start + MESSAGES_MAX]
        response = messaging.send_each([message for _, message in some])
        reached += int(response.success_count)
        answers = zip(some, response.responses, strict=True)
        dead += [target for (target, _), answer in answers if _leads_nowhere(answer.exception)]
    return Sent(reached, tuple(dead))


def _leads_nowhere(error: Exception | None) -> bool:
    """Tell whether a message failed for good because of its token: the app was removed, or the token has expired or
    belongs to another project. INVALID_ARGUMENT may also be the message's fault, which must cost nobody their token:
    only FCM's text tells. https://firebase.google.com/docs/cloud-messaging/manage-tokens"""
    if isinstance(error, InvalidArgumentError):
        return "registration token" in str(error).lower()
    return isinstance(error, messaging.UnregisteredError | messaging.SenderIdMismatchError)


def _message(token: str, news: PushSummary) -> messaging.Message:
    return messaging.Message(
        token=token,
        data=_data(news),
        android=messaging.AndroidConfig(priority="high", collapse_key=news.bulk_id or "batch_results"),
    )


def _data(news: PushSummary) -> dict[str, str]:
    counts = {"done": str(news.done), "failed": str(news.failed)}
    if news.bulk_id is None:
        return {"event": "batch_results", **counts}
    return {"event": "bulk_done", "bulkId": news.bulk_id, **counts}
