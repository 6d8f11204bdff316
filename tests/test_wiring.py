"""What a process holds: built once and late, and a runtime config that is neither stale nor asked for all the time."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import main
from functions import log, wiring
from functions.adapters.current_config import RUNTIME_CONFIG_AGE_MAX
from functions.core.model.image_tokens import FORMULAS
from functions.core.shared.providers import Provider
from functions.core.shared.utc_days import day_of
from functions.deploy.params import ConfigurationError, Settings
from functions.use_cases.operations.guard_budget import guard_budget
from functions.wiring import Deps
from scripts.inprocess import InProcessCloud, StillClock

SETTINGS = Settings("demo", "demo-bucket", "gpt-4o-mini", "http://openai.example/v1", "sk-secret")
SECOND = timedelta(seconds=1)


@pytest.fixture
def product() -> InProcessCloud:
    """The product in one process."""
    return InProcessCloud()


def stored(product: InProcessCloud, **config: Any) -> None:
    """Write `config/runtime` without telling anybody."""
    product.client.document("config/runtime").set(config)


# The runtime config


def test_the_config_is_read_once_in_thirty_seconds(product: InProcessCloud) -> None:
    """However often it is asked for, by however many use cases; then it is read anew."""
    product.deps.runtime()
    product.firestore.bill.reset()
    stored(product, tokens={"instantPrice": 7})
    product.clock.advance(RUNTIME_CONFIG_AGE_MAX)
    for _ in range(100):
        assert product.deps.runtime().tokens.instant_price == 5
    assert product.firestore.bill.reset()["totals"]["reads"] == 0

    product.clock.advance(SECOND)
    assert product.deps.runtime().tokens.instant_price == 7
    assert product.firestore.bill.reset()["totals"]["reads"] <= 3


@pytest.mark.parametrize(
    "slip",
    [
        {"tokens": {"instantPrice": 0}},
        {"tokens": 5},
        {"batch": {"leaseMinutes": 1}},
        {"instant": {"leaseSeconds": "x"}},
    ],
    ids=str,
)
def test_a_slip_keeps_the_last_good_config_and_is_reported(
    product: InProcessCloud, slip: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """An invalid document sets no price and stops nothing; the log names the field; the next good one counts."""
    stored(product, tokens={"instantPrice": 7})
    assert product.deps.runtime().tokens.instant_price == 7

    stored(product, **{"tokens": {"instantPrice": 7}, **slip})
    product.clock.advance(RUNTIME_CONFIG_AGE_MAX + SECOND)
    for _ in range(3):
        assert product.deps.runtime().tokens.instant_price == 7
    (entry,) = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert (entry["message"], entry["severity"]) == (log.Event.CONFIG_INVALID, "ERROR")
    assert all(next(iter(slip)) in problem for problem in entry["problems"])

    stored(product, tokens={"instantPrice": 8})
    product.clock.advance(RUNTIME_CONFIG_AGE_MAX + SECOND)
    assert product.deps.runtime().tokens.instant_price == 8


@pytest.mark.parametrize(
    "slip",
    [
        {"budget": {"dailyLimitMicros": 1_000_000}, "tokens": {"instantPrice": "x"}},
        {"budget": {"dailyLimitMicros": 1_000_000, "alertUids": ["a/b"]}},
        {"budget": {"dailyLimitMicros": "1.000.000"}},
        {"budget": "one dollar"},
        None,
    ],
    ids=str,
)
def test_a_slip_never_makes_the_budget_grow(
    product: InProcessCloud, slip: dict[str, Any] | None, capfd: pytest.CaptureFixture[str]
) -> None:
    """A dollar a day stays a dollar in a process that starts afterwards, whichever field is damaged, or the document
    gone; on the next day too; and operators are told."""
    product.configure({"budget": {"dailyLimitMicros": 1_000_000}})
    guard_budget(product.deps)
    if slip is None:
        product.client.document("config/runtime").delete()
    else:
        stored(product, **slip)
    for _ in range(2):
        product.clock.advance(timedelta(days=1))
        started = product.new_process()
        guard_budget(started)
        limit = sum(shard.limit for shard in started.store.budget_shards(day_of(product.clock())).values())
        assert started.runtime().budget.daily_limit_micros == limit == 1_000_000
        assert product.client.document(f"alerts/config_invalid-{day_of(product.clock())}").get().exists
    assert "config_invalid" in capfd.readouterr().err


def test_a_limit_that_nobody_has_ever_read_is_nothing(product: InProcessCloud) -> None:
    """Nothing is spent until somebody has corrected it: what was meant, nobody knows."""
    stored(product, budget={"dailyLimitMicros": "a lot"})
    assert product.deps.runtime().budget.daily_limit_micros == 0


@pytest.mark.parametrize("path", ["stats/queue", "stats/budget"])
def test_damaged_figures_stop_nobody(product: InProcessCloud, path: str, capfd: pytest.CaptureFixture[str]) -> None:
    """They are told, and count as absent: prices, waits and holds go on."""
    product.client.document(path).set({"queued": -7, "committed": 5, "mode": 3})
    assert product.deps.queue().queued == 0
    assert product.deps.budget().committed == {}
    entries = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert {(entry["message"], entry["path"]) for entry in entries} == {("document_damaged", path)}


def test_a_clock_that_goes_back_does_not_freeze_the_config(product: InProcessCloud) -> None:
    """A config read in what is now the future is soon read again."""
    product.deps.runtime()
    stored(product, tokens={"instantPrice": 7})
    product.clock.advance(timedelta(days=-1))
    product.deps.runtime()
    product.clock.advance(RUNTIME_CONFIG_AGE_MAX + SECOND)
    assert product.deps.runtime().tokens.instant_price == 7


# The parts


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process with settings, and none made yet."""
    monkeypatch.setenv("GCLOUD_PROJECT", "demo")
    monkeypatch.delenv("FIREBASE_CONFIG", raising=False)
    wiring.deps.cache_clear()
    monkeypatch.setattr(wiring, "_clock", StillClock())
    yield
    wiring.deps.cache_clear()


def test_a_process_has_one_set_of_dependencies(environment: None) -> None:
    """Clients and caches are shared by all calls of a process."""
    assert wiring.deps() is wiring.deps()


def test_the_local_cloud_can_put_in_its_own_clock(environment: None) -> None:
    """A clock that is installed is used by what is made after."""
    clock = StillClock()
    before = wiring.deps()
    wiring.install_clock(clock)
    assert wiring.deps() is not before
    assert wiring.deps().clock is clock


def test_each_part_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are reused by every call that a process serves."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    deps = Deps(SETTINGS, StillClock())
    assert deps.store is deps.store
    assert deps.files is deps.files
    assert deps.provider is deps.provider


@pytest.mark.parametrize("model", ["gpt-99", "", "claude-sonnet-4", "gpt-4o-2024"])
def test_a_process_with_an_unknown_model_serves_nothing(
    environment: None, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """Before anything is read or charged: the first thing that a process does names the param, the model, and a way
    out."""
    monkeypatch.setenv("OPENAI_MODEL", model)
    with pytest.raises(ConfigurationError, match=f"^OPENAI_MODEL: .*{model!r}.*set OPENAI_MODEL"):
        wiring.deps()


def test_a_model_whose_price_is_gone_serves_nothing(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the image table knows and the price table does not, on this day."""
    monkeypatch.setattr("functions.adapters.prices.get_snapshot", _NoPrices)
    with pytest.raises(ConfigurationError, match="OPENAI_MODEL: the model 'gpt-6-luna' has no known price"):
        wiring.deps()


class _NoPrices:
    def find_provider_model(self, *_: object) -> None:
        """Know none."""
        raise LookupError


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("model", FORMULAS)
def test_every_model_that_a_deploy_offers_has_a_price(model: str, *, batch: bool) -> None:
    """What can be selected works, in both lanes."""
    Deps(SETTINGS, StillClock()).listed_price(model, StillClock()(), batch=batch)


def test_ids_are_new_and_safe_in_a_path() -> None:
    """Random, and plain letters and digits."""
    ids = {Deps(SETTINGS, StillClock()).new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(one.isalnum() for one in ids)


HEAVY = ("google.cloud.firestore", "google.cloud.storage", "openai", "PIL", "genai_prices", "pydantic")


def test_discovery_loads_nothing_heavy() -> None:
    """Importing main.py, which every deploy and cold start does, leaves the heavy libraries for when they are used."""
    assert loaded_by("import main") & {*HEAVY} == set()


def test_a_use_case_loads_no_client_before_it_uses_one() -> None:
    """The provider's client is with those that ask the provider, and nobody decodes photos or talks to Storage before
    there is a photo: each process loads what its function comes to."""
    use_cases = {
        name: [secret["key"] for secret in value.__firebase_endpoint__.secretEnvironmentVariables]
        for name, value in vars(main).items()
        if hasattr(value, "__firebase_endpoint__")
    }
    others = [name for name, secrets in use_cases.items() if "OPENAI_API_KEY" not in secrets]
    files = [next(Path(main.__file__).parent.glob(f"functions/use_cases/*/{name}.py")) for name in others]
    loaded = loaded_by("; ".join(f"import functions.use_cases.{file.parent.name}.{file.stem}" for file in files))
    assert loaded & {*HEAVY} <= {"pydantic", "google.cloud.firestore"}


def test_a_process_checks_its_providers_and_builds_none(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """To load their clients takes 0.4 s of CPU, and many a call asks none of them."""
    for name, value in (
        ("ANTHROPIC_API_KEY", "any"),
        ("AZURE_API_KEY", "any"),
        ("AZURE_BASE_URL", "https://a.example"),
    ):
        monkeypatch.setenv(name, value)
    built = wiring.deps()
    assert all(map(built.settings.reaches, Provider))
    assert "openai" not in loaded_by("from functions import wiring; wiring.deps()")


def loaded_by(code: str) -> set[str]:
    """Return the modules that a new process has loaded after this code."""
    command = [sys.executable, "-c", f"import json, sys; {code}; print(json.dumps(sorted(sys.modules)))"]
    ran = subprocess.run(command, capture_output=True, check=True, timeout=120, text=True)  # noqa: S603 (our own)
    return set(json.loads(ran.stdout))
