"""What a wallet keeps of its months."""

from datetime import timedelta

from functions.core.wallet.ledger import UsedMonth, empty_wallet
from functions.core.wallet.months import MONTHS_KEPT, this_month, with_month
from tests.builders import NOW


def test_a_wallet_keeps_a_year_of_months() -> None:
    """The newest first, each once; the oldest goes."""
    wallet = empty_wallet(NOW)
    for number in range(1, MONTHS_KEPT + 1):
        wallet = wallet.with_fields(months=with_month(wallet, UsedMonth(month=f"2025-{number:02}")))
    wallet = wallet.with_fields(months=with_month(wallet, UsedMonth(month="2026-11", batch=1)))
    wallet = wallet.with_fields(months=with_month(wallet, UsedMonth(month="2026-11", batch=2)))
    assert [each.month for each in wallet.months[:2]] == ["2026-11", "2025-12"]
    assert (len(wallet.months), wallet.months[-1].month) == (MONTHS_KEPT, "2025-02")
    assert (this_month(wallet, NOW).photos, this_month(wallet, NOW + timedelta(days=10)).photos) == (2, 0)
