"""One condition in a file of rules, and what our engine makes of it."""

from functools import lru_cache
from urllib.parse import unquote

from localcloud.rules import Request, RulesError, Ruleset
from localcloud.rules.values import Value
from localcloud.tests.rules.google import Question

SERVICE = "cloud.firestore"
REQUEST: dict[str, Value] = {
    "auth": {"uid": "ann", "token": {"admin": True, "email": "ann@example.org", "roles": ["a", "b"]}},
    "time": 1,
    "method": "get",
}
RESOURCE: dict[str, Value] = {"data": {"n": 1, "f": 1.5, "s": "text", "l": [1, "a"], "m": {"k": {"j": 2}}, "z": None}}


def rules_of(condition: str, functions: str = "") -> str:
    """Return a file in which everything depends on a condition."""
    return (
        f"rules_version = '2';\nservice {SERVICE} {{\n  match /databases/{{db}}/documents {{\n"
        f"match /x/{{id}} {{\n{functions}\nallow read, write: if {condition}\n;}}}}}}"
    )


def question_of(rules: str, path: str = "/databases/d/documents/x/1") -> Question:
    """Return the usual request for Google's engine."""
    return Question(rules, SERVICE, "get", path, REQUEST, RESOURCE)


def request_of(question: Question) -> Request:
    """Return a question as a request to our engine."""
    segments = tuple(map(unquote, question.path.strip("/").split("/")))
    return Request(question.method, segments, {"request": question.request, "resource": question.resource})


@lru_cache(maxsize=1)
def _loaded(text: str, service: str) -> Ruleset:
    return Ruleset.of(text, service)


def ours(question: Question) -> str:
    """Return what our engine answers, in the words of `GoogleRules.ask`."""
    try:
        rules = _loaded(question.rules, question.service)
    except RulesError:
        return "refused"
    decision = rules.decide(request_of(question))
    if decision.allowed:
        return "allowed"
    return "denied" if all(reason.startswith("false ") for reason in decision.reasons) else "error"
