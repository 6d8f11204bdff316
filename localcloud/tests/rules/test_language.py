"""The language: what expressions are worth, on our engine and, where it is found, on Google's."""

from collections.abc import Iterator

import pytest

from localcloud.rules import RulesError, Ruleset
from localcloud.tests.rules.google import GoogleRules, google_rules
from localcloud.tests.rules.support import SERVICE, ours, question_of, rules_of

ALLOWED = r"""
1 == 1.0
[1] != [1.0]
[1, 1.0].toSet().size() == 1
1 / 2 == 0 && -7 / 2 == -3 && 7 / 2.0 == 3.5
-7 % 3 == -1 && 7 % -3 == 1
9223372036854775807 + 1.0 > 9.0
false || true && true
1 in [1] && !(2 in [1])
true == 1 < 2
1 + 1 is int == true
null == null && 1 != null
1 / 0 == 1 || true
!(1 / 0 == 1 && false)
null || true
request.auth.uid == 'ann' ? true : false
{'a': {'b': [1]}}.a.b[0] == 1
'abc'[1] == 'b' && 'abc'[1:3] == 'bc' && [1, 2, 3][:2] == [1, 2]
"it's" + '\x41A\101' == 'it\'sAAA'
b'\xff\x00'.toHexString() == 'FF00'
'a,b,,'.split(',') == ['a', 'b']
'image/png'.matches('image/(jpeg|png)') && !'ximage/png'.matches('image/png')
'abc'.replace('(b)', '[$1]') == 'a[b]c'
' ÄbC '.trim().lower() == 'Äbc'
'😀'.size() == 2
['b', 'a'].hasAll(['a']) && ['a'].hasOnly(['a', 'b']) && !['a'].hasAny([])
[1, 2].concat([3]).removeAll([2]) == [1, 3]
['a', 1, null].join('-') == 'a-1-null'
{'b': 1, 'a': 2}.keys() == ['a', 'b']
{'a': {'b': 1}}.get(['a', 'c'], 3) == 3
{'a': 1, 'b': 2}.diff({'a': 1, 'b': 3, 'c': 4}).affectedKeys() == ['b', 'c'].toSet()
{'a': 1}.diff({}).addedKeys().hasOnly(['a'])
duration.value(90, 'm').seconds() == 5400
duration.time(1, 2, 3, 4) > duration.value(1, 'h')
timestamp.date(2020, 2, 29) + duration.value(1, 'd') == timestamp.value('2020-03-01T00:00:00Z')
timestamp.value(1500).toMillis() == 1500 && timestamp.value(0).dayOfWeek() == 4
latlng.value(0, 0).distance(latlng.value(0, 1)) > 111195.0
math.round(2.5) == 3 && math.abs(-1) == 1 && math.isNaN(math.sqrt(-1))
# pragma: allowlist nextline secret (the digest of a letter)
hashing.md5('a').toHexString() == '0CC175B9C0F1B6A831C399E269772661'
hashing.crc32c('a').toHexString() == '3043D0C1'
string(100000.0) == '100000.0' && string(12345678.9) == '1.23456789E7'
int('12') == 12 && int(-1.9) == -1 && float('1e3') == 1000.0
path('/a/b') == /a/$('b') && string(/a/$(1 + 1)) == '/a/2'
(/a/{b}/c).bind({'b': 'x'}) == /a/x/c
/databases/$(db)/documents/x/$(id) == /databases/d/documents/x/1
resource.data.m.k.j == 2 && resource.data.z == null
request.auth.token.get('missing', 'default') == 'default'
'n' in resource.data && !('q' in resource.data)
"""
WITHOUT_VALUE = r"""
1 / 0 == 0
9223372036854775807 + 1 == 0
resource.data.q == 1
request.auth.uid.foo == 1
[1][1] == 1
'a' + 1 == 'a1'
1 < 'a'
true < false
!1
1 && true
true ? 1 : 2
'a' in 'abc'
[1].hasAll(1)
[1].matches('a')
{'a': 1}.b == 1
null.a == 1
int('x') == 1
timestamp.date(2021, 2, 29) == timestamp.value(0)
duration.value(1, 'y') == duration.value(1, 's')
latlng.value(91, 0) == latlng.value(0, 0)
[1 / 0].size() == 1
string([1]) == '[1]'
"""
REFUSED = {
    "1/2 == 0": "to divide, write a space",
    "foo == 1": "no variable foo",
    "foo(1)": "no function foo",
    "math == 1": "holds functions",
    "math.isInfinite(1.0)": "write math.isInfinity",
    "'a'.foo()": "no type has a method foo",
    "'a'.size(1) == 1": "takes 0 arguments, not 1",
    "string(1, 2) == '1'": "takes 1 arguments, not 2",
    "'x'": "true or false",
    "1 is integer": "no type",
    "1 === 1": "a value expected",
    "true & true": "write &&",
    "'a'.matches('(?=a)')": "look-around",
    "'a'.matches('(a)\\\\1')": "RE2 has no",
    "'a'.matches('a++')": "nothing can be repeated",
    "'a' == 'b": "does not end on its line",
    "'\\q' == 'q'": "has the escape",
    "[1, 2": "',' expected",
    "9223372036854775808 > 0": "larger than",
    "!" * 100 + "true": "nested deeper",
    "allow": "a value expected",
}


def lines(text: str) -> list[str]:
    """Return the lines of a table, but for comments."""
    return [line for line in text.strip().splitlines() if not line.startswith("#")]


@pytest.fixture(scope="module")
def google() -> Iterator[GoogleRules]:
    """Google's engine."""
    with google_rules() as engine:
        yield engine


@pytest.mark.parametrize("condition", lines(ALLOWED))
def test_it_holds(condition: str) -> None:
    """Each of these conditions is true."""
    assert ours(question_of(rules_of(condition))) == "allowed"


@pytest.mark.parametrize("condition", lines(WITHOUT_VALUE))
def test_it_has_no_value(condition: str) -> None:
    """Each of these conditions has an error, which denies."""
    assert ours(question_of(rules_of(condition))) == "error"


def test_google_agrees(google: GoogleRules) -> None:
    """Google's engine says the same of both tables."""
    for expected, table in (("allowed", ALLOWED), ("error", WITHOUT_VALUE)):
        different = [line for line in lines(table) if google.ask(question_of(rules_of(line))) != expected]
        assert different == []


@pytest.mark.parametrize("condition", REFUSED, ids=str)
def test_a_mistake_is_refused_with_its_place(condition: str) -> None:
    """What cannot be meant is refused when the file is loaded: where it is, why, and what to do."""
    with pytest.raises(RulesError) as caught:
        Ruleset.of(rules_of(condition), SERVICE, "firestore.rules")
    text = str(caught.value)
    assert text.startswith(("firestore.rules:6:", "firestore.rules:7:"))  # of an open bracket, where it is missed
    assert REFUSED[condition] in text


def file_of(inside: str) -> str:
    """Return a file with something in the match of all documents."""
    return f"rules_version = '2'; service {SERVICE} {{ match /databases/{{db}}/documents {{ {inside} }} }}"


READ = "allow read: if true;"
CHAIN = " ".join(f"function f{number}() {{ return f{number + 1}(); }}" for number in range(21))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("service cloud.firestore { }", "must begin with rules_version = '2'"),
        ("rules_version = '1'; service cloud.firestore { }", "must begin with rules_version = '2'"),
        ("rules_version = '2';", "there is no service"),
        ("rules_version = '2'; service cloud.foo { match /a { allow read; } }", "no service cloud.foo"),
        (file_of(READ) + " service cloud.firestore { match /a { allow read; } }", "is there already"),
        (file_of("match /x/{id} { }"), "the match is empty"),
        (file_of("match x { allow read; }"), "a path expected"),
        (file_of("match /x/{id} { allow reed: if true; }"), "no method"),
        (file_of("match /x/{id} { allow read: true; }"), "'if' expected"),
        (file_of("match /x/{a=**}/{b=**} { allow read; }"), "any depth"),
        (file_of("match /a { " * 10 + READ + " }" * 10), "10 matches within each other"),
        (file_of("match /a" + "/b" * 100 + " { allow read; }"), "100 segments"),
        (file_of("function f() { return f(); } " + READ), "no recursion"),
        (file_of("function f() { return g(); } function g() { return f(); } " + READ), "no recursion"),
        (file_of(CHAIN + " function f21() { return true; } " + READ), "more than 20 deep"),
        (
            file_of("function f() { return true; } function f() { return false; } " + READ),
            "there already in this block",
        ),
        (file_of("function f(a, a) { return true; } " + READ), "defined twice"),
        (file_of("function f(a) { let a = 1; return true; } " + READ), "defined twice"),
        (file_of("function f(a,b,c,d,e,g,h,i) { return true; } " + READ), "at most 7 arguments"),
        (file_of("function f() { " + "".join(f"let v{n} = 1; " for n in range(11)) + "return 1; } " + READ), "10 lets"),
        (file_of("function f() { true; } " + READ), "'return' expected"),
        (file_of("match /x/{id} { allow read: if f(1); } function f() { return true; }"), "takes 0 arguments"),
        (file_of("function f() { return id == '1'; } match /x/{id} { allow read: if f(); }"), "no variable id"),
        ("rules_version = '2'; import 'x';", "imports are not supported"),
        ("rules_version = '2'; /* no end", "close it with */"),
    ],
)
def test_a_file_with_a_mistake_is_refused(text: str, reason: str) -> None:
    """Structure, names and limits are checked when the file is loaded."""
    with pytest.raises(RulesError, match=r"^rules:1:\d+: ") as caught:
        Ruleset.of(text, SERVICE)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("inside", "path", "answer"),
    [
        ("match /x/{id} { allow read: if id == '1'; }", "x/1", "allowed"),
        ("match /x/{id} { allow read: if id == '1'; }", "x/2", "denied"),
        ("match /x/{id} { allow read; }", "x/1/y/2", "denied"),
        ("match /x/{id} { match /y/{id} { allow read: if id == '2'; } }", "x/1/y/2", "allowed"),
        ("match /x { match /{id} { allow read; } }", "x/1", "allowed"),
        ("match /{rest=**} { allow read: if rest == /x/1; }", "x/1", "allowed"),
        ("match /x/1/{rest=**} { allow read: if string(rest) == '/'; }", "x/1", "allowed"),
        ("match /{rest=**}/y/{id} { allow read: if rest == /x/1 && id == '2'; }", "x/1/y/2", "allowed"),
        ("match /{rest=**}/y/{id} { allow read: if id == '2'; }", "y/2", "allowed"),
        ("match /{rest=**} { match /y/{id} { allow read: if rest[1] == '1'; } }", "x/1/y/2", "allowed"),
        ("match /x/{id} { allow write; }", "x/1", "denied"),
        ("match /x/{id} { allow list, get; }", "x/1", "allowed"),
        ("match /x/{id} { allow read: if 1 / 0 == 1; allow get: if true; }", "x/1", "allowed"),
        ("match /x/{id} { allow read: if f(1 / 0); } function f(a) { return true; }", "x/1", "allowed"),
        ("match /x/{id} { allow read: if f(1 / 0); } function f(a) { let b = a; return b == 1; }", "x/1", "error"),
        ("match /x/{id} { function f() { return id == '1'; } allow read: if f(); }", "x/1", "allowed"),
        (
            "match /x/{id} { function f() { return true; } allow read: if f(); } function f() { return false; }",
            "x/1",
            "allowed",
        ),
        (
            "match /x/{id} { allow read: if "
            + " || ".join(["f()"] * 50)
            + "; } function f() { return "
            + " || ".join(["false"] * 20)
            + "; }",
            "x/1",
            "error",
        ),
    ],
)
def test_matches_and_functions(google: GoogleRules, inside: str, path: str, answer: str) -> None:
    """Matches, wildcards, scopes and the limit of 1,000 expressions are Google's."""
    question = question_of(file_of(inside), f"/databases/d/documents/{path}")
    assert ours(question) == answer
    assert google.ask(question) == answer
