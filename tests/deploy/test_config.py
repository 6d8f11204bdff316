"""Deploy-time settings: where they come from, and what a wrong one says."""

import json
import os
from pathlib import Path

import pytest

from functions.deploy.params import ConfigurationError, Settings, load_settings

KEPT = {"PATH", "HOME", "PYTEST_CURRENT_TEST"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployed function's environment, and nothing of this machine's."""
    for name in os.environ.keys() - KEPT:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GCLOUD_PROJECT", "eco")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")


def test_a_plain_deploy_needs_a_project_and_a_key() -> None:
    """Everything else has a default: OpenAI itself, the cheapest model, the project's own bucket."""
    assert load_settings() == Settings(
        project="eco",
        bucket="eco.firebasestorage.app",
        openai_model="gpt-6-luna",
        openai_base_url="https://api.openai.com/v1",
        openai_api_key="sk-secret",
    )


def test_settings_of_a_deploy_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Model, server, project and bucket are the deploy's."""
    monkeypatch.setenv("OPENAI_MODEL", "gpt-4o-mini")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1")
    monkeypatch.setenv("FIREBASE_CONFIG", json.dumps({"projectId": "eco", "storageBucket": "eco.appspot.com"}))
    settings = load_settings()
    assert (settings.openai_model, settings.openai_base_url) == ("gpt-4o-mini", "http://127.0.0.1:8080/v1")
    assert settings.bucket == "eco.appspot.com"


def test_a_flags_ceiling_is_the_deploys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag that is not named may go all the way; a slip stops the deploy, and says what would be right."""
    monkeypatch.setenv("FLAGS", "model=50")
    assert load_settings().flag_ceilings == {"model": 50, "prompt": 100, "side": 100}
    monkeypatch.setenv("FLAGS", "modle=50")
    with pytest.raises(ConfigurationError, match=r"FLAGS: 'modle=50' is no ceiling.*model, prompt"):
        load_settings()


def test_the_projects_other_name_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google's own runtimes call it GOOGLE_CLOUD_PROJECT."""
    monkeypatch.delenv("GCLOUD_PROJECT")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "other")
    assert load_settings().project == "other"


def test_firebases_config_may_be_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """FIREBASE_CONFIG is JSON, or the path of a file with it."""
    file = tmp_path / "firebase.json"
    file.write_text('{"storageBucket": "from-a-file"}')
    monkeypatch.setenv("FIREBASE_CONFIG", str(file))
    assert load_settings().bucket == "from-a-file"


@pytest.mark.parametrize("config", ["{}", '{"projectId": "eco"}', '{"storageBucket": null}', ""])
def test_a_config_without_a_bucket_means_the_projects_own(monkeypatch: pytest.MonkeyPatch, config: str) -> None:
    """Firebase leaves the bucket out, or the whole config empty, where none was set up."""
    monkeypatch.setenv("FIREBASE_CONFIG", config)
    assert load_settings().bucket == "eco.firebasestorage.app"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("GCLOUD_PROJECT", ""),
        ("OPENAI_BASE_URL", "api.openai.com/v1"),
        ("OPENAI_BASE_URL", "ftp://api.openai.com"),
        ("OPENAI_BASE_URL", ""),
        ("OPENAI_BASE_URL", "https://"),
        ("OPENAI_BASE_URL", "https://[::1"),
        ("ALERT_WEBHOOK_URL", "hooks.example/sk-secret"),
        ("OPENAI_API_KEY", ""),
        ("OPENAI_API_KEY", "sk-secret\n"),
        ("FIREBASE_CONFIG", "{not json"),
        ("FIREBASE_CONFIG", "/no/such/file.json"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, wrong: str) -> None:
    """The message says which setting is wrong, and no secret."""
    monkeypatch.setenv(name, wrong)
    with pytest.raises(ConfigurationError, match=name) as error:
        load_settings()
    assert "sk-secret" not in str(error.value)


IN_THE_CLEAR = [
    "http://api.openai.com/v1",
    "http://10.0.0.7/v1",
    "http://127.0.0.1.example/v1",
    "http://localhost@a.b/",
]


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "ALERT_WEBHOOK_URL"])
@pytest.mark.parametrize("url", IN_THE_CLEAR)
def test_nothing_is_sent_in_the_clear(monkeypatch: pytest.MonkeyPatch, name: str, url: str) -> None:
    """Keys, photos and alerts leave a machine by https alone; an emulator may send them to the machine beside it."""
    monkeypatch.setenv(name, url)
    with pytest.raises(ConfigurationError, match=f"{name} must begin with https://"):
        load_settings()
    monkeypatch.setenv("FUNCTIONS_EMULATOR", "true")
    assert url in {load_settings().openai_base_url, load_settings().alert_webhook_url}


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "localhost", "LOCALHOST:80"])
def test_this_machine_may_be_asked_in_the_clear(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """A gateway beside the function is on no network."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://{host}/v1")
    assert load_settings().openai_base_url == f"http://{host}/v1"


def test_a_deployed_function_never_takes_unsigned_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that makes the Admin SDK stop verifying is refused wherever the process is no emulator's."""
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9099")
    with pytest.raises(ConfigurationError, match="FIREBASE_AUTH_EMULATOR_HOST"):
        load_settings()
    monkeypatch.setenv("FUNCTIONS_EMULATOR", "true")
    assert load_settings().emulated
