"""A key that was used before says whether it may be used so again."""

import pytest

from functions.core.shared.errors import KeyReused
from functions.core.shared.idempotency import require_same_payload


def test_the_same_payload_is_the_same_request() -> None:
    """Whatever else is stored with it."""
    require_same_payload({"points": "100", "tokens": "1"}, {"points": "100"})


@pytest.mark.parametrize("stored", [{"points": "200"}, {}])
def test_another_payload_is_another_request(stored: dict[str, str]) -> None:
    """The refusal names the field, also one that was not stored at all."""
    with pytest.raises(KeyReused, match="another points") as refused:
        require_same_payload(stored, {"points": "100"})
    assert refused.value.details == {"field": "points"}
