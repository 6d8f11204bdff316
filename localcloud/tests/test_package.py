"""What is installed: the package with all it imports, and nothing else."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
GOOGLE = {
    "google.api_core": "google-api-core",
    "google.auth": "google-auth",
    "google.oauth2": "google-auth",
    "google.protobuf": "protobuf",
    "google.rpc": "googleapis-common-protos",
    "google.cloud": "google-cloud-scheduler",
    "google.cloud.firestore": "google-cloud-firestore",
    "google.cloud.firestore_v1": "google-cloud-firestore",
    "google.cloud.storage": "google-cloud-storage",
}
"""Packages of the namespace that all of Google's share."""


def imported(*, tests: bool = False) -> set[str]:
    """Return the distributions of all modules that the package imports, or its tests and its example."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if (path.relative_to(PACKAGE).parts[0] in {"tests", "docs"}) is not tests:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            found |= {distribution for name in names if (distribution := distribution_of(name))}
    return found


def distribution_of(module: str) -> str:
    """Return the distribution of a module; "" for the standard library's, its types' and our own."""
    top = module.partition(".")[0]
    if top in {"localcloud", "_typeshed", *sys.stdlib_module_names}:
        return ""
    if top == "google":
        return GOOGLE[max((name for name in GOOGLE if f"{module}.".startswith(f"{name}.")), key=len)]
    assert not {*PACKAGE.parent.glob(top), *PACKAGE.parent.glob(f"{top}.py")}, f"{module} lies beside the package"
    return canonicalize_name(packages_distributions()[top][0])


def test_what_is_imported_is_declared() -> None:
    """Nothing is here only because another project has installed it, and nothing is asked for in vain."""
    extras = [word for words in PROJECT["optional-dependencies"].values() for word in words]
    declared = {canonicalize_name(Requirement(word).name) for word in PROJECT["dependencies"] + extras}

    assert imported() - {"pytest"} == declared


def test_the_tests_know_no_other_project() -> None:
    """They import the package, libraries and nothing that lies beside it: whoever takes the folder can run them."""
    assert {"pytest", "hypothesis"} <= imported(tests=True)


def test_entry_points_lead_somewhere() -> None:
    """The command and the plugin are files of the package."""
    assert PROJECT["scripts"]["localcloud"] == "localcloud.__main__:main"
    assert PROJECT["entry-points"]["pytest11"]["localcloud"] == "localcloud.pytest_plugin"
    assert all((PACKAGE / f"{name}.py").is_file() for name in ("__main__", "pytest_plugin"))
