"""Ecolane in the local cloud: all that the local cloud has to be told about it.

`with ecolane_cloud() as cloud` is the running product. Rules and indexes are those of `firebase.json`.
"""

import json
from pathlib import Path
from typing import Any

from firebase_functions import params

from functions.deploy import params as deployed
from functions.deploy import providers
from functions.deploy.shop import params as shop
from localcloud.cloud import CloudSettings, LocalCloud
from localcloud.suite_cloud import cloud_of
from scripts import firebase_cli, sample_answers

ROOT = Path(__file__).resolve().parents[1]
PROJECT = "demo-ecolane"  # the prefix demo- keeps every Firebase tool from looking for a real project


def ecolane_cloud(**changes: Any) -> LocalCloud:
    """Return the local cloud around this product, not started yet, with `changes` of fields of CloudSettings."""
    return cloud_of(ecolane_settings(**changes))


def ecolane_settings(**changes: Any) -> CloudSettings:
    """Return what the local cloud has to know of this product, with `changes` of fields of CloudSettings."""
    params, secrets = deploy_params(SELLS="on")
    wiring = {
        "project": PROJECT,
        "clock_hook": "functions.wiring:install_clock",
        "openai_webhook": "openai_webhook",
        "stripe_webhook": "stripe_webhook",
        "revenuecat_webhook": "revenuecat_webhook",
        "answers": sample_answers.answers,
        "fake_credentials": False,  # what is not emulated, such as push messages, is not even tried
        "firebase_cli": firebase_cli.CLI,
        "params": params,
        "secrets": secrets,
    }
    return CloudSettings.of(ROOT, **{**wiring, **changes})


def deploy_params(**values: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the params of a deploy and its secrets, by name: `values`, else the defaults, and "none" for secrets."""
    declared = [each for module in (deployed, providers, shop) for each in vars(module).values()]
    plain = {param.name: _default(param) for param in declared if isinstance(param, params.Param)}
    hidden = [param.name for param in declared if isinstance(param, params.SecretParam | shop.ShopSecret)]
    return {**plain, **{name: values[name] for name in values.keys() & plain}}, {
        name: values.get(name, "none") for name in hidden
    }


def _default(param: params.Param[Any]) -> str:
    default = param.default
    return json.dumps(default) if isinstance(default, bool) else str(default)
