"""The rules of the house, read from the source: layers, limits and sizes, and the contents page."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "main.py"
FUNCTIONS = ROOT / "functions"
MODULES = sorted(FUNCTIONS.rglob("*.py"))
CORE = [path for path in MODULES if (FUNCTIONS / "core") in path.parents]
ADAPTERS = [path for path in MODULES if (FUNCTIONS / "adapters") in path.parents]
FIRESTORE = [path for path in ADAPTERS if "firestore" in path.relative_to(FUNCTIONS).as_posix()]
STEPS = [path for path in MODULES if (FUNCTIONS / "use_cases") in path.parents]
USE_CASES = [path for path in STEPS if f"def {path.stem}(" in MAIN.read_text(encoding="utf-8")]

BELOW = ("functions.log", "functions.deploy")
"""What adapters know beside the core."""

LINES_MAX = {"use case": 230, "core": 220, "adapter": 300, "edge": 250}
CONTENTS_LINES_MAX, CONTENTS_LINES_PER_FUNCTION = 20, 8
"""Of main.py: what stands above the first function; and a decorator, a name, a call and what is between, for each."""

FUNCTION_LINES_MAX = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """Return a file's path in the project."""
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    """Return the name that a file is imported by."""
    return name_of(path).removesuffix(".py").replace("/", ".")


def every(paths: list[Path]) -> pytest.MarkDecorator:
    """Run a test for each of these files."""
    return pytest.mark.parametrize("path", paths, ids=name_of)


@cache
def tree(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """Return the modules that a file imports, anywhere in it; of `from a import b` both `a` and `a.b`."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: relative imports hide which layer is meant"
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each text in the code with its line, docstrings left out; of an f-string its fixed parts."""
    nodes = list(ast.walk(tree(path)))
    told = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.lineno, node.value


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each call with its line, as `datetime.now` or `open`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


# Layers


@every(CORE)
def test_the_core_knows_only_the_standard_library_pydantic_and_itself(path: Path) -> None:
    """Rules that import nothing can be tested, simulated and trusted by themselves."""
    for module in imports(path):
        top = module.partition(".")[0]
        assert top in {"pydantic", *sys.stdlib_module_names} or module.startswith("functions.core"), module


IMPURE_MODULES = {
    "asyncio",
    "io",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
}
IMPURE_MODULES |= {"time", "urllib", "http", "uuid"}
IMPURE_CALLS = re.compile(r"open|input|print|(?:.*\.)?(?:now|utcnow|today|urandom|getenv|read_text|write_text)")


@every(CORE)
def test_the_core_asks_nobody(path: Path) -> None:
    """No clock, no chance, no environment, no file: time, ids and randomness are arguments."""
    assert {module.partition(".")[0] for module in imports(path)} & (IMPURE_MODULES - {"http"}) == set()
    assert [call for call in calls(path) if IMPURE_CALLS.fullmatch(call[1])] == []


@every(STEPS)
def test_no_use_case_imports_another(path: Path) -> None:
    """What two share lives in the core, in an adapter, or in steps of its own that know no use case."""
    others = {".".join(other.relative_to(ROOT).with_suffix("").parts) for other in USE_CASES if other != path}
    assert imports(path) & others == set()


@every(ADAPTERS)
def test_adapters_know_what_is_below_them_and_each_other(path: Path) -> None:
    """An adapter that knew a use case, or the wiring, could not be replaced."""
    ours = {module for module in imports(path) if module.startswith("functions.")}
    assert all(module.startswith(("functions.core", "functions.adapters", *BELOW)) for module in ours), ours


@every(STEPS)
def test_use_cases_talk_to_the_world_through_adapters(path: Path) -> None:
    """A use case orders the steps; no client library is imported in it."""
    outside = ("google", "openai", "PIL", "firebase_admin", "firebase_functions", "genai_prices", "requests", "httpx")
    assert [module for module in imports(path) if module.startswith(outside)] == []


@every([path for path in MODULES if path.stem != "params"] + [MAIN])
def test_only_the_config_reads_the_environment(path: Path) -> None:
    """Settings are declared once, typed and checked."""
    assert imports(path) & {"os", "os.environ", "os.getenv", "dotenv"} == set()


# Documents


@cache
def collections() -> set[str]:
    """Return the collections that the Firestore adapter names: every other part of a path."""
    paths: set[str] = set()
    for path in FIRESTORE:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                fixed = [part.value for part in node.args if isinstance(part, ast.Constant)]
                if (
                    node.func.attr in {"collection", "document"}
                    and fixed
                    and ast.unparse(node.func.value) == "self._client"
                ):
                    paths |= {str(part).partition("/")[0] for part in fixed}
    return paths - {"main"}


def test_the_adapter_names_the_documents_of_the_design() -> None:
    """The next test rests on finding the names; these are known to be there."""
    assert {"aiJobs", "batches", "users", "ledger", "wallet", "config"} <= collections()


@every([path for path in MODULES if path not in FIRESTORE])
def test_only_the_firestore_adapter_names_a_collection(path: Path) -> None:
    """Where documents live is known in one place: elsewhere no collection is asked for, and none is spelled out."""
    assert [call for call in calls(path) if re.search(r"\.(collection|document|collection_group)$", call[1])] == []
    if path.name in {"storage.py", "uploads.py"}:
        return  # Cloud Storage has folders of the same names
    log_calls = [
        node for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and "log." in ast.unparse(node.func)
    ]
    logged = {node.value for call in log_calls for node in ast.walk(call) if isinstance(node, ast.Constant)}
    distinct = {
        name for name in collections() if name not in {"batches", "users", "devices", "config", "stats", "budget"}
    }
    spelled = [
        (line, text)
        for line, text in texts(path)
        if text not in logged and (text in distinct or text.startswith(tuple(f"{name}/" for name in collections())))
    ]
    assert spelled == []


@every(FIRESTORE)
def test_every_query_has_a_limit(path: Path) -> None:
    """A collection that grows must not be read in whole: whatever is filtered or ordered is limited."""
    for node in ast.walk(tree(path)):
        if isinstance(node, Function) and re.search(r"\.(where|order_by|stream|count)\(", ast.unparse(node)):
            limited = ".limit(" in ast.unparse(node)
            handed_in = any("Query" in ast.unparse(arg.annotation) for arg in node.args.args if arg.annotation)
            assert limited or handed_in, f"{name_of(path)}:{node.lineno} {node.name}"


# Sizes and words


def layer(path: Path) -> str:
    """Return the layer that a file belongs to."""
    if path.name == "main.py":
        return "main"
    if path in CORE:
        return "core"
    if path in ADAPTERS:
        return "adapter"
    return "use case" if path in STEPS else "edge"


@every([*MODULES, MAIN])
def test_files_stay_readable(path: Path) -> None:
    """A file is read in one sitting."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= lines_max(path)


def lines_max(path: Path) -> int:
    """Return how long a file may be. The contents page grows with its functions, and by nothing else."""
    if path != MAIN:
        return LINES_MAX[layer(path)]
    listed = sum(isinstance(node, ast.FunctionDef) for node in tree(path).body)
    return CONTENTS_LINES_MAX + CONTENTS_LINES_PER_FUNCTION * listed


@every([*MODULES, MAIN])
def test_functions_stay_readable(path: Path) -> None:
    """A function fits on a screen."""
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES_MAX, (
                f"{name_of(path)}:{node.lineno} {node.name}"
            )


@every(MODULES)
def test_everything_public_says_what_it_is(path: Path) -> None:
    """Each module, and each public class, function and method in it, has a docstring."""
    module = tree(path)
    assert ast.get_docstring(module), name_of(path)
    for node in public(module):
        if not is_protocol_stub(node):
            assert ast.get_docstring(node), f"{name_of(path)}:{node.lineno} {node.name}"


def public(parent: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    """Yield public classes and functions, and what is public in public classes."""
    for node in parent.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def is_protocol_stub(node: Function | ast.ClassDef) -> bool:
    """Tell whether this is a line of a protocol, `def name(self) -> str: ...`."""
    return isinstance(node, Function) and ast.unparse(node.body[-1]) == "..."


@every([path for path in CORE if any(isinstance(node, Function) for node in ast.walk(tree(path)))])
def test_each_rule_has_its_tests(path: Path) -> None:
    """tests/core mirrors functions/core: the tests of a module that does anything stand under its name."""
    mirrored = ROOT / "tests" / path.relative_to(FUNCTIONS).with_name(f"test_{path.name}")
    assert mirrored.exists(), f"write {name_of(mirrored)}: it tests {name_of(path)}"
    subject = module_of(path.parent)
    assert any(each.startswith(subject) for each in imports(mirrored)), f"{name_of(mirrored)}: test {subject} here"


@every(sorted((ROOT / "tests/core").rglob("test_*.py")))
def test_tests_move_with_what_they_test(path: Path) -> None:
    """A test file whose module has moved or gone would be looked for in vain."""
    tested = FUNCTIONS / path.relative_to(ROOT / "tests").with_name(path.name.removeprefix("test_"))
    assert tested.exists(), f"move {name_of(path)} to where its module is now; there is no {name_of(tested)}"


def test_the_contents_page_lists_each_use_case_once() -> None:
    """A function's name is its use case's file, and nothing is left undeployed."""
    listed = [node.name for node in tree(MAIN).body if isinstance(node, ast.FunctionDef)]
    assert sorted(listed) == sorted(path.stem for path in USE_CASES)


def test_the_contents_page_says_what_each_function_does() -> None:
    """A line for each function, which says what it does; then it loads its use case and calls it."""
    for node in tree(MAIN).body:
        if isinstance(node, ast.FunctionDef):
            assert len(ast.get_docstring(node) or "") > 15, node.name
            assert len(node.body) == 3, node.name
