"""The rules of the house, read from the source: layers, limits and sizes, and the contents page."""

import ast
import re
import sys
from collections.abc import Callable, Container, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "main.py"
FUNCTIONS = ROOT / "functions"
MODULES = sorted(FUNCTIONS.rglob("*.py"))
CORE, FIRESTORE, STEPS = (
    sorted((FUNCTIONS / folder).rglob("*.py")) for folder in ("core", "adapters/firestore", "use_cases")
)
USE_CASES = [path for path in STEPS if f"\ndef {path.stem}(" in path.read_text(encoding="utf-8")]
"""Those of a name with their file; the others are steps."""

LINES_MAX = {"use_cases": 220, "core": 210, "adapters": 300, "edge": 250}
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


# Layers: the contracts in pyproject.toml, and what these cannot say


@every(CORE)
def test_the_core_knows_only_the_standard_library_pydantic_and_itself(path: Path) -> None:
    """Rules that import nothing can be tested, simulated and trusted by themselves."""
    known = {"pydantic", "functions", *sys.stdlib_module_names}
    foreign = {module for module in imports(path) if module.partition(".")[0] not in known}
    assert not foreign, f"{name_of(path)} imports {foreign}: hand in what it is wanted for, from an adapter"


GOOGLES = {"google.cloud.firestore": "adapters/firestore/", "google.cloud.storage": "adapters/storage.py"}
"""Clients of Google's, and where they are named; the contracts know `google` as one."""


@every(MODULES)
def test_each_client_of_googles_is_named_in_its_adapter(path: Path) -> None:
    """Another database, or another store of files, changes its adapter and nothing else."""
    for client, place in GOOGLES.items():
        if not name_of(path).startswith(f"functions/{place}"):
            named = {module for module in imports(path) if module.startswith(client)}
            assert not named, f"{name_of(path)} imports {named}: ask functions/{place} for it"


def test_the_contents_page_names_the_edge_and_use_cases_only() -> None:
    """main.py is no package, so no contract holds for it."""
    known = ("functions.edge", "functions.deploy", "functions.use_cases", "firebase_functions", "flask")
    foreign = [module for module in imports(MAIN) if not module.startswith(known)]
    assert not foreign, f"main.py imports {foreign}: let functions/edge or a use case do it"


IMPURE_MODULES = re.compile(
    "asyncio|io|os|pathlib|random|secrets|socket|subprocess|tempfile|threading|time|urllib|uuid"
)
IMPURE_CALLS = re.compile(r"open|input|print|(?:.*\.)?(?:now|utcnow|today|urandom|getenv|read_text|write_text)")


@every(CORE)
def test_the_core_asks_nobody(path: Path) -> None:
    """No clock, no chance, no environment, no file: time, ids and randomness are arguments."""
    asked = {module for module in imports(path) if IMPURE_MODULES.fullmatch(module.partition(".")[0])}
    asked |= {call for _, call in calls(path) if IMPURE_CALLS.fullmatch(call)}
    assert not asked, f"{name_of(path)} asks {asked}: make it an argument, which the use case hands in"


@every(STEPS)
def test_no_use_case_imports_another(path: Path) -> None:
    """What two share lives in the core, in an adapter, or in steps of its own that know no use case."""
    others = imports(path) & {module_of(other) for other in USE_CASES if other != path}
    assert not others, f"{name_of(path)} imports {others}: move what both need to a step beside them"


@every([path for path in MODULES if path.stem != "params"] + [MAIN])
def test_only_the_config_reads_the_environment(path: Path) -> None:
    """Settings are declared once, typed and checked."""
    read = imports(path) & {"os", "os.environ", "os.getenv", "dotenv"}
    assert not read, f"{name_of(path)} imports {read}: declare the setting in functions/deploy/params.py"


# Documents


@cache
def collections() -> set[str]:
    """Return the collections that the Firestore adapter names: every other part of a path."""
    asked = [call for path in FIRESTORE for call in calls_in(tree(path), {"collection", "document"})]
    fixed = [
        part.value
        for call in asked
        if ast.unparse(call.func).startswith("self._client.")
        for part in call.args
        if isinstance(part, ast.Constant)
    ]
    return {str(part).partition("/")[0] for part in fixed} - {"main"}


def test_the_adapter_names_the_documents_of_the_design() -> None:
    """The next test rests on finding the names; these are known to be there."""
    missing = {"aiJobs", "batches", "users", "ledger", "wallet", "config"} - collections()
    assert not missing, f"collections() in this file finds no {missing}: follow how functions/adapters/firestore asks"


@every([path for path in MODULES if path not in FIRESTORE])
def test_only_the_firestore_adapter_names_a_collection(path: Path) -> None:
    """Where documents live is known in one place: elsewhere no collection is asked for, and none is spelled out."""
    found = [call for call in calls(path) if re.search(r"\.(collection|document|collection_group)$", call[1])]
    if path.name not in {"storage.py", "uploads.py"}:  # Cloud Storage has folders of the same names
        log_calls = [
            node for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and "log." in ast.unparse(node.func)
        ]
        logged = {node.value for call in log_calls for node in ast.walk(call) if isinstance(node, ast.Constant)}
        distinct = collections() - {"batches", "users", "devices", "config", "stats", "budget", "usage"}
        paths = tuple(f"{name}/" for name in collections())
        found += [
            (line, text)
            for line, text in texts(path)
            if text not in logged and (text in distinct or text.startswith(paths))
        ]
    assert not found, f"{name_of(path)}:{found}: give functions/adapters/firestore a method for it"


def functions_in(path: Path) -> list[ast.FunctionDef]:
    """Return the functions and methods of a file."""
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]


def name_called(call: ast.Call) -> str:
    """Return the name of the function or method that is called."""
    return str(getattr(call.func, "attr", getattr(call.func, "id", "")))


def calls_in(node: ast.AST, names: Container[str]) -> list[ast.Call]:
    """Return the calls of these functions or methods, whoever's they are."""
    return [each for each in ast.walk(node) if isinstance(each, ast.Call) and name_called(each) in names]


def meant(node: ast.AST, within: ast.FunctionDef) -> list[ast.AST]:
    """Return an expression, and what the names in it are given in this function, and the names in that."""
    found, names = [node], set[str]()
    for part in found:
        new = {each.id for each in ast.walk(part) if isinstance(each, ast.Name)} - names
        names |= new
        for given in ast.walk(within):
            if isinstance(given, ast.Assign | ast.AnnAssign) and given.value is not None:
                targets = given.targets if isinstance(given, ast.Assign) else [given.target]
                if new & {ast.unparse(target) for target in targets}:
                    found.append(given.value)
    return found


def takers(paths: list[Path], wanted: Callable[[ast.arg], bool]) -> dict[str, int]:
    """Return the functions that take such an argument, and in which place, without `self`."""
    return {
        function.name: place
        for path in paths
        for function in functions_in(path)
        for place, arg in enumerate(arg for arg in function.args.args if arg.arg != "self")
        if wanted(arg)
    }


def handed(within: ast.AST, places: Mapping[str, int]) -> list[ast.expr]:
    """Return what these functions are called with in these places, by place or by name."""
    found = calls_in(within, places)
    return [[*call.args, *(each.value for each in call.keywords)][places[name_called(call)]] for call in found]


TAKE_QUERY = takers(FIRESTORE, lambda arg: ast.unparse(arg.annotation or arg).endswith("Query"))
TAKE_LIMIT = takers([*FIRESTORE, *STEPS], lambda arg: arg.arg == "limit") | {"limit": 0}


@every(FIRESTORE)
def test_every_query_has_a_limit(path: Path) -> None:
    """A collection that grows must not be read in whole: each query that is run, summed, counted or handed on has a
    limit, under whatever names it was built."""
    for function in functions_in(path):
        run = [
            call.func
            for call in calls_in(function, {"stream", "count", "sums"})
            if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) != "self"  # a query's own steps
        ]
        for query in [*run, *handed(function, TAKE_QUERY)]:
            limited = any(calls_in(part, {"limit"}) for part in meant(query, function))
            assert limited or function.name in TAKE_QUERY, (
                f"{name_of(path)}:{query.lineno} {function.name}: put .limit(...) into {ast.unparse(query)}"
            )


RANGED = {
    node.target.id
    for path in MODULES
    for node in ast.walk(tree(path))
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and "le=" in ast.unparse(node.annotation)
}
"""Fields of requests and of the config that are bounded by their type."""


@every([*FIRESTORE, *STEPS])
def test_every_limit_has_an_end(path: Path) -> None:
    """What a query is limited to is a number, a constant, a field that its type bounds, or made of these; what a caller
    hands in as `limit` is looked at there."""
    for function in functions_in(path):
        ends = RANGED | {arg.arg for arg in function.args.args if arg.arg == "limit"}
        for limit in handed(function, TAKE_LIMIT):
            parts = [each for part in meant(limit, function) for each in ast.walk(part)]
            names = {getattr(each, "attr", getattr(each, "id", "")) for each in parts}
            assert isinstance(limit, ast.Constant) or names & ends or any(map(str.isupper, names)), (
                f"{name_of(path)}:{limit.lineno} {function.name}: bound {ast.unparse(limit)} by a constant, "
                "or by le= in the type of its field"
            )


# Sizes and words


@every([*MODULES, MAIN])
def test_files_stay_readable(path: Path) -> None:
    """A file is read in one sitting."""
    lines, most = len(path.read_text(encoding="utf-8").splitlines()), lines_max(path)
    assert lines <= most, f"{name_of(path)} has {lines} lines of {most}: split it by what its parts are about"


def lines_max(path: Path) -> int:
    """Return how long a file may be. The contents page grows with its functions, and by nothing else."""
    if path != MAIN:
        return LINES_MAX.get(path.relative_to(FUNCTIONS).parts[0], LINES_MAX["edge"])
    listed = sum(isinstance(node, ast.FunctionDef) for node in tree(path).body)
    return CONTENTS_LINES_MAX + CONTENTS_LINES_PER_FUNCTION * listed


@every([*MODULES, MAIN])
def test_functions_stay_readable(path: Path) -> None:
    """A function fits on a screen."""
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            lines = (node.end_lineno or 0) - node.lineno
            assert lines < FUNCTION_LINES_MAX, (
                f"{name_of(path)}:{node.lineno} {node.name} has {lines} lines: give a part of it a name of its own"
            )


@every(MODULES)
def test_everything_public_says_what_it_is(path: Path) -> None:
    """Each module, and each public class, function and method in it, has a docstring."""
    module = tree(path)
    assert ast.get_docstring(module), f"{name_of(path)}: begin it with a docstring that says what it is"
    for node in public(module):
        if not is_protocol_stub(node):
            assert ast.get_docstring(node), f"{name_of(path)}:{node.lineno} {node.name}: say what it is in a docstring"


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
    files = sorted(path.stem for path in USE_CASES)
    assert sorted(listed) == files, "main.py: list each use case once, by the name that its file and function have"


def test_the_contents_page_says_what_each_function_does() -> None:
    """A line for each function, which says what it does; then it loads its use case and calls it."""
    for node in tree(MAIN).body:
        if isinstance(node, ast.FunctionDef):
            told = len(ast.get_docstring(node) or "") > 15
            assert told, f"main.py:{node.lineno} {node.name}: say in a docstring what it is for"
            assert len(node.body) == 3, f"main.py:{node.lineno} {node.name}: load the use case and call it, no more"
