"""Push notifications through Firebase Cloud Messaging."""

from collections.abc import Sequence

from firebase_admin import messaging

from functions.core.profile import News

MESSAGES_MAX = 500
"""What FCM takes in one call."""


class PushMessaging:
    """Sends pushes. The text is the app's: a push carries counts, and the app has the user's language."""

    def send(self, news: Sequence[News]) -> int:
        """Tell users what has come of their photos. Returns how many devices it reached; a stale token is no error.

        Raises:
            firebase_admin.exceptions.FirebaseError: messaging is not to be reached at all.
        """
        messages = [_message(token, item) for item in news for token in item.push_tokens]
        sent = 0
        for start in range(0, len(messages), MESSAGES_MAX):
            response = messaging.send_each(messages[start : start + MESSAGES_MAX])
            sent += int(response.success_count)
        return sent

    def alert(self, tokens: Sequence[str], kind: str, day: str, text: str) -> int:
        """Push an alert to operators' devices. Returns how many it reached.

        Raises:
            firebase_admin.exceptions.FirebaseError: messaging is not to be reached at all.
        """
        data = {"event": "operator_alert", "kind": kind, "day": day, "text": text}
        messages = [messaging.Message(token=token, data=data) for token in tokens[:MESSAGES_MAX]]
        return int(messaging.send_each(messages).success_count)


def _message(token: str, news: News) -> messaging.Message:
    return messaging.Message(
        token=token,
        data={"event": "batch_results", "done": str(news.done), "failed": str(news.failed)},
        android=messaging.AndroidConfig(priority="high", collapse_key="batch_results"),
    )
