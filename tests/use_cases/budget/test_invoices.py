"""Invoices computed by hand: for each row what the provider bills, with every factor written out, against our books.

Prices are dollars a million tokens, which is micro-dollars a token, as on the providers' price pages. Image tokens
follow OpenAI's guide: tiles of 512 pixels after fitting into 2,048 and 768 (gpt-4o, gpt-4.1), or patches of 32 pixels
times a factor; Anthropic counts 28 pixels a token.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from functions.adapters.prices import model_price
from functions.core.budget.anomalies import Terms
from functions.core.jobs.attempts import judge
from functions.core.model.dialects import anthropic
from functions.core.model.dialects.openai import read_completion
from functions.core.model.image_tokens import formula_of, image_tokens
from functions.core.model.usage import ModelPrice, Usage, cost_micros
from functions.core.shared.providers import Provider, named
from tests.builders import NOW, completion_body


@dataclass(frozen=True)
class Invoice:
    """One answer: the photo as it was sent, the tokens billed for it, and the cost in micro-dollars by hand.

    `image`, `text`, `cached` and `output` are tokens; of the input, which is image and text together, `cached` were
    read from the provider's cache.
    """

    model: str
    detail: str
    size: tuple[int, int]
    image: int
    text: int
    cached: int
    output: int
    batch: bool
    micros: Decimal

    @property
    def usage(self) -> dict[str, Any]:
        """Return the usage block of the provider's answer."""
        return {
            "prompt_tokens": self.image + self.text,
            "completion_tokens": self.output,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }


D = Decimal
INVOICES = [
    # gpt-4o: 85 + 170 a tile; 2.50 in, 1.25 cached, 10.00 out
    Invoice("gpt-4o", "low", (1024, 1024), 85, 415, 0, 200, False, 500 * D("2.50") + 200 * D("10")),
    Invoice("gpt-4o", "low", (1024, 1024), 85, 415, 0, 200, True, (500 * D("2.50") + 200 * D("10")) / 2),
    Invoice("gpt-4o", "high", (1024, 1024), 85 + 4 * 170, 235, 0, 200, False, 1_000 * D("2.50") + 200 * D("10")),
    Invoice("gpt-4o", "high", (2048, 4096), 85 + 6 * 170, 395, 0, 300, True, (1_500 * D("2.50") + 300 * D("10")) / 2),
    Invoice("gpt-4o", "auto", (512, 512), 85 + 1 * 170, 745, 640, 100, False, 360 * D("2.5") + 640 * D("1.25") + 1_000),
    # gpt-4o-mini: 2,833 + 5,667 a tile; 0.15 in, 0.075 cached, 0.60 out: a photo costs more than with gpt-4o
    Invoice("gpt-4o-mini", "low", (512, 512), 2_833, 167, 0, 250, False, 3_000 * D("0.15") + 250 * D("0.60")),
    Invoice("gpt-4o-mini", "high", (512, 512), 2_833 + 5_667, 500, 0, 250, False, 9_000 * D("0.15") + 250 * D("0.60")),
    Invoice("gpt-4o-mini", "high", (512, 512), 2_833 + 5_667, 500, 0, 250, True, D(1_350 + 150) / 2),
    Invoice(
        "gpt-4o-mini",
        "auto",
        (1024, 1024),
        2_833 + 4 * 5_667,
        499,
        1_000,
        250,
        False,
        25_000 * D("0.15") + 1_000 * D("0.075") + 250 * D("0.60"),
    ),
    # gpt-4.1: 85 + 170 a tile; 2.00 in, 0.50 cached, 8.00 out; in a batch, cached input costs the same
    Invoice("gpt-4.1", "high", (768, 1024), 85 + 4 * 170, 235, 0, 150, False, D(1_000 * 2 + 150 * 8)),
    Invoice("gpt-4.1", "high", (512, 513), 85 + 2 * 170, 575, 512, 150, True, 488 + 512 * D("0.50") + 600),
    # gpt-4.1-mini: patches x 1.62, rounded up; 0.40 in, 0.10 cached, 1.60 out; detail makes no difference
    Invoice("gpt-4.1-mini", "low", (1024, 1024), 1_659, 341, 0, 250, False, 2_000 * D("0.40") + 250 * D("1.60")),
    Invoice("gpt-4.1-mini", "high", (1024, 1024), 1_659, 341, 0, 250, True, (2_000 * D("0.40") + 400) / 2),
    Invoice("gpt-4.1-mini", "high", (1800, 2400), 2_353, 647, 1_000, 250, False, D(2_000) * D("0.4") + 100 + 400),
    # gpt-4.1-nano: patches x 2.46; 0.10 in, 0.025 cached, 0.40 out
    Invoice("gpt-4.1-nano", "high", (512, 512), 630, 470, 0, 250, False, D(110 + 100)),
    Invoice("gpt-4.1-nano", "auto", (512, 512), 630, 470, 400, 250, True, 35 + 400 * D("0.025") + 50),
    # o4-mini: patches x 1.72; 1.10 in, 0.275 cached, 4.40 out
    Invoice("o4-mini", "high", (320, 320), 172, 628, 0, 250, False, 800 * D("1.10") + 250 * D("4.40")),
    # gpt-6-luna, the default: 256 patches x 2.46 as an upper bound; 0.10 in, 0.01 cached, 0.50 out
    Invoice("gpt-6-luna", "high", (512, 512), 630, 570, 0, 220, False, 1_200 * D("0.10") + 220 * D("0.50")),
    Invoice("gpt-6-luna", "high", (512, 512), 630, 570, 0, 220, True, D(120 + 110) / 2),
    Invoice("gpt-6-luna", "high", (512, 384), 473, 570, 512, 231, False, D("53.1") + D("5.12") + D("115.5")),
    Invoice("gpt-6-luna", "high", (512, 384), 473, 570, 512, 231, True, (D("53.1") + D("5.12") + D("115.5")) / 2),
]


def booked(invoice: Invoice) -> int:
    """Return what our books say of the provider's answer, read as every answer is, on the day of the invoice."""
    price = model_price(invoice.model, NOW, batch=invoice.batch)
    terms = Terms(invoice.model, price, most_micros=10**6)
    return terms.cost_micros(judge(read_completion(completion_body(usage=invoice.usage))))


@pytest.mark.parametrize("invoice", INVOICES, ids=str)
def test_the_books_say_what_the_invoice_says(invoice: Invoice) -> None:
    """Exactly where the arithmetic comes to whole micro-dollars, else within half of one, which is below 1 %."""
    cost = booked(invoice)
    if invoice.micros == int(invoice.micros):
        assert cost == invoice.micros
    assert abs(cost - invoice.micros) <= min(D("0.5"), invoice.micros / 100)


@pytest.mark.parametrize("invoice", [each for each in INVOICES if each.detail != "low"], ids=str)
def test_the_photo_counts_as_many_tokens_as_by_hand(invoice: Invoice) -> None:
    """High and auto, which is held to be high; nothing is asked in low detail."""
    assert image_tokens(formula_of(invoice.model), *invoice.size) == invoice.image


def test_the_month_adds_up() -> None:
    """Ten thousand of each: rounding does not pile up to 1 % of the whole."""
    total = sum(booked(invoice) for invoice in INVOICES) * 10_000
    exact = sum((invoice.micros for invoice in INVOICES), D(0)) * 10_000
    assert abs(total - exact) <= exact / 100


@pytest.mark.parametrize(
    ("day", "micros"),
    [(datetime(2025, 6, 9, tzinfo=UTC), 10_000 + 8_000), (datetime(2025, 6, 11, tzinfo=UTC), 2_000 + 1_600)],
    ids=str,
)
def test_an_answer_costs_the_price_of_its_day(day: datetime, micros: int) -> None:
    """o3 came down from 10 and 40 dollars to 2 and 8 on 10 June 2025: 1,000 tokens in and 200 out, before and after."""
    usage = read_completion(completion_body(usage={"prompt_tokens": 1_000, "completion_tokens": 200})).usage
    assert usage is not None
    assert cost_micros(usage, model_price("o3", day, batch=False)) == micros


@dataclass(frozen=True)
class Bill:
    """One answer of another provider, or in a region: its usage as that provider reports it, and the cost by hand."""

    provider: Provider
    model: str
    zone: str | None
    batch: bool
    usage: dict[str, Any]
    micros: Decimal


def at_azure(prompt: int, cached: int, output: int, written: int = 0) -> dict[str, Any]:
    """Return a usage block as Azure writes it; reasoning is a part of the output."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": output // 2, "audio_tokens": 0},
    }


def at_anthropic(plain: int, read: int, written: int, output: int, **more: Any) -> dict[str, Any]:
    """Return a usage block as Anthropic writes it: `input_tokens` without what the cache has read or written."""
    return {
        "input_tokens": plain,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "server_tool_use": None,
        **more,
    }


OPENAI, AZURE, ANTHROPIC = Provider.OPENAI, Provider.AZURE, Provider.ANTHROPIC
LUNA, HAIKU, MINI, NANO = "gpt-6-luna", "claude-haiku-5-5", "gpt-5.4-mini", "gpt-4.1-nano"

BILLS = [
    # OpenAI's addresses of a region: 10 % more for models since March 2026
    Bill(OPENAI, LUNA, "eu", False, at_azure(1_200, 0, 220), (1_200 * D("0.10") + 220 * D("0.50")) * D("1.1")),
    Bill(OPENAI, LUNA, "eu", True, at_azure(1_200, 0, 220), (1_200 * D("0.05") + 220 * D("0.25")) * D("1.1")),
    Bill(OPENAI, "gpt-4o-mini", "eu", False, at_azure(9_000, 0, 250), 9_000 * D("0.15") + 250 * D("0.60")),
    # luna's cache writes cost 1.25 times its input, reads a tenth: 176 plain, 512 read, 512 written
    Bill(OPENAI, LUNA, None, False, at_azure(1_200, 512, 220, 512), D("17.6") + D("5.12") + 64 + 110),
    Bill(OPENAI, LUNA, None, True, at_azure(1_200, 512, 220, 512), (D("17.6") + D("5.12") + 64 + 110) / 2),
    # beyond 272,000 tokens of input the whole request costs twice as much, its output 1.5 times
    Bill(OPENAI, LUNA, None, False, at_azure(272_000, 0, 200), D(27_200 + 100)),
    Bill(OPENAI, LUNA, None, False, at_azure(272_010, 10, 200), 272_000 * D("0.20") + 10 * D("0.02") + 150),
    # Azure: gpt-6-luna 10 % more in the US, 20 % in the EU; no batches
    Bill(AZURE, LUNA, None, False, at_azure(1_200, 0, 220), D(120 + 110)),
    Bill(AZURE, LUNA, None, False, at_azure(1_200, 1_024, 220), D("17.6") + D("10.24") + 110),
    Bill(AZURE, LUNA, "us", False, at_azure(1_200, 0, 220), D(132 + 121)),
    Bill(AZURE, LUNA, "eu", False, at_azure(1_200, 0, 220), D(144 + 132)),
    Bill(
        AZURE,
        LUNA,
        "eu",
        False,
        at_azure(1_200, 512, 220, 512),
        176 * D("0.12") + 512 * D("0.012") + 512 * D("0.15") + 132,
    ),
    Bill(AZURE, MINI, "eu", True, at_azure(1_000, 400, 200), 600 * D("0.4125") + 400 * D("0.04125") + 200 * D("2.475")),
    Bill(AZURE, MINI, None, True, at_azure(1_000, 0, 200), D(375 + 450)),
    # gpt-4.1-nano's batches have no meter for cached input; meters of a zone are in whole 0.001 $: 0.0275 is 0.028
    Bill(AZURE, NANO, None, True, at_azure(1_000, 400, 200), D(50 + 40)),
    Bill(AZURE, NANO, None, False, at_azure(1_000, 400, 200), D(60 + 10 + 80)),
    Bill(AZURE, NANO, "us", False, at_azure(1_000, 400, 200), 600 * D("0.11") + 400 * D("0.028") + 200 * D("0.44")),
    # Anthropic: 512 x 384 is ceil(512 / 28) x ceil(384 / 28) = 19 x 14 = 266 tokens; the cache's tokens come beside it
    Bill(ANTHROPIC, HAIKU, None, False, at_anthropic(976, 0, 0, 230), 976 * D("0.10") + 230 * D("0.50")),
    Bill(ANTHROPIC, HAIKU, None, True, at_anthropic(976, 0, 0, 230, service_tier="batch"), D("48.8") + D("57.5")),
    Bill(ANTHROPIC, HAIKU, None, False, at_anthropic(266, 710, 0, 230), D("26.6") + D("7.10") + 115),
    Bill(ANTHROPIC, HAIKU, None, False, at_anthropic(266, 0, 710, 230), D("26.6") + D("88.75") + 115),
    Bill(
        ANTHROPIC,
        HAIKU,
        None,
        True,
        at_anthropic(266, 355, 355, 230),
        D("13.3") + D("1.775") + D("22.1875") + D("57.5"),
    ),
    # thinking is output, an answer that was cut or refused is billed for what there is of it
    Bill(ANTHROPIC, HAIKU, None, False, at_anthropic(976, 0, 0, 900), D("97.6") + 450),
    Bill(ANTHROPIC, HAIKU, None, False, at_anthropic(976, 0, 0, 3), D("97.6") + D("1.5")),
    # in the US alone 10 % more
    Bill(ANTHROPIC, HAIKU, "us", False, at_anthropic(976, 0, 0, 230, inference_geo="us"), (D("97.6") + 115) * D("1.1")),
    Bill(ANTHROPIC, HAIKU, "us", True, at_anthropic(266, 710, 0, 230), (D("13.3") + D("3.55") + D("57.5")) * D("1.1")),
    # beyond 100,000 tokens, those of the cache included, everything costs five times as much
    Bill(ANTHROPIC, HAIKU, None, False, at_anthropic(99_000, 1_000, 0, 100), D(9_900 + 10 + 50)),
    Bill(ANTHROPIC, HAIKU, None, False, at_anthropic(99_000, 1_001, 0, 100), 49_500 + D("50.05") + 250),
]

# the same in numbers: zone, batch, tokens by kind, and micro-dollars as added up on paper
OF_AZURE: list[tuple[str, str | None, bool, tuple[int, ...], str]] = [  # prompt, cached, output, cache written
    (LUNA, None, False, (1_183, 0, 230), "233.3"),
    (LUNA, None, False, (1_183, 1_024, 230), "141.14"),
    (LUNA, None, False, (1_183, 0, 900), "568.3"),
    (LUNA, None, False, (1_183, 0, 1), "118.8"),
    (LUNA, "us", False, (1_183, 0, 230), "256.63"),
    (LUNA, "us", False, (1_183, 1_024, 230), "155.254"),
    (LUNA, "us", False, (1_183, 0, 230, 512), "270.71"),
    (LUNA, "eu", False, (1_183, 0, 230), "279.96"),
    (LUNA, "eu", False, (1_183, 1_024, 230), "169.368"),
    (LUNA, "eu", False, (2_000, 0, 10), "246"),
    (MINI, None, False, (1_000, 0, 200), "1650"),
    (MINI, None, False, (1_000, 400, 200), "1380"),
    (MINI, "us", False, (1_000, 0, 200), "1815"),
    (MINI, "us", False, (1_000, 400, 200), "1518"),
    (MINI, None, True, (1_000, 400, 200), "690"),
    (MINI, "us", True, (1_000, 0, 200), "907.5"),
    (NANO, None, False, (1_100, 0, 250), "210"),
    (NANO, None, True, (1_100, 0, 250), "105"),
    (NANO, "us", False, (1_100, 0, 250), "231"),
    (NANO, "eu", False, (1_100, 0, 250), "231"),
]
OF_ANTHROPIC: list[tuple[str | None, bool, tuple[int, int, int, int], str]] = [  # plain, read, written, output
    (None, False, (266, 0, 0, 230), "141.6"),
    (None, False, (1_331, 0, 0, 345), "305.6"),
    (None, False, (976, 0, 0, 0), "97.6"),
    (None, False, (976, 0, 0, 1), "98.1"),
    (None, False, (100, 876, 0, 230), "133.76"),
    (None, False, (100, 0, 876, 230), "234.5"),
    (None, False, (50, 400, 526, 100), "124.75"),
    (None, False, (976, 0, 0, 450), "322.6"),
    (None, True, (976, 0, 0, 0), "48.8"),
    (None, True, (976, 0, 0, 900), "273.8"),
    (None, True, (266, 710, 0, 230), "74.35"),
    (None, True, (266, 0, 710, 230), "115.175"),
    (None, True, (1_331, 0, 0, 345), "152.8"),
    (None, True, (1, 0, 0, 1), "0.3"),
    ("us", False, (266, 710, 0, 230), "163.57"),
    ("us", False, (266, 0, 710, 230), "253.385"),
    ("us", False, (976, 0, 0, 900), "602.36"),
    ("us", True, (976, 0, 0, 230), "116.93"),
    ("us", True, (266, 0, 710, 230), "126.6925"),
]
BILLS += [
    Bill(OPENAI, LUNA, None, False, at_azure(1_183, 0, 230), D("233.3")),
    Bill(OPENAI, LUNA, None, True, at_azure(1_183, 0, 230), D("116.65")),
    *(Bill(AZURE, model, zone, batch, at_azure(*tokens), D(sum_)) for model, zone, batch, tokens, sum_ in OF_AZURE),
    *(
        Bill(ANTHROPIC, HAIKU, zone, batch, at_anthropic(*tokens), D(sum_))
        for zone, batch, tokens, sum_ in OF_ANTHROPIC
    ),
]


def test_each_provider_has_thirty_invoices() -> None:
    """Of each that a photo can reach."""
    counts = Counter(bill.provider for bill in BILLS) + Counter({OPENAI: len(INVOICES)})
    assert min(counts[provider] for provider in (OPENAI, AZURE, ANTHROPIC)) >= 30


def usage_of(bill: Bill) -> Usage:
    """Return what a bill's answer reports, in our terms."""
    if bill.provider is ANTHROPIC:
        usage = anthropic.read_completion({"content": [], "stop_reason": "end_turn", "usage": bill.usage}).usage
    else:
        usage = read_completion(completion_body(usage=bill.usage)).usage
    assert usage is not None
    return usage


def price_of(bill: Bill) -> ModelPrice:
    """Return what a bill is settled by."""
    return model_price(named(bill.provider, bill.model), NOW, batch=bill.batch, zone=bill.zone)


@pytest.mark.parametrize("bill", BILLS, ids=str)
def test_each_provider_costs_what_its_bill_says(bill: Bill) -> None:
    """To the micro-dollar: the exact arithmetic, rounded half up, whatever region, lane, cache or length."""
    assert cost_micros(usage_of(bill), price_of(bill)) == int(bill.micros.quantize(D(1), ROUND_HALF_UP))


@pytest.mark.parametrize("provider", [OPENAI, AZURE, ANTHROPIC])
def test_each_providers_month_adds_up(provider: Provider) -> None:
    """Ten thousand of each bill: what rounding leaves is below 1 % of the whole."""
    bills = [bill for bill in BILLS if bill.provider is provider]
    exact = sum((bill.micros for bill in bills), D(0))
    assert abs(sum(cost_micros(usage_of(bill), price_of(bill)) for bill in bills) - exact) <= exact / 100
