"""Firebase security rules, version 2: reads `firestore.rules` and `storage.rules`, and decides on requests."""

from .errors import EvaluationError, RulesError
from .ruleset import Decision, Request, Ruleset

__all__ = ["Decision", "EvaluationError", "Request", "RulesError", "Ruleset"]
