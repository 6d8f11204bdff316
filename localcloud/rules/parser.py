"""The parser of declarations: services, matches, allow statements and functions."""

from .expressions import ExpressionParser
from .lexer import tokens_of
from .syntax import Allow, Expression, File, Function, Let, Match, Service, Wildcard

FILE_BYTES_MAX = 256 * 1024
METHODS = {
    "read": ("get", "list"),
    "write": ("create", "update", "delete"),
    **{method: (method,) for method in ("get", "list", "create", "update", "delete")},
}


def parse(text: str, name: str) -> File:
    """Return the tree of a file's text; `name` is what errors call the file.

    Raises:
        RulesError: the text is no file of rules of version 2.
    """
    parser = _Parser(tokens_of(text, name), name)
    if len(text.encode()) > FILE_BYTES_MAX:
        parser.refuse(f"the file is larger than {FILE_BYTES_MAX // 1024} KB, the limit of a deploy")
    return parser.file(name)


class _Parser(ExpressionParser):
    def file(self, name: str) -> File:
        self._version()
        functions: list[Function] = []
        services: list[Service] = []
        while self.token.kind != "end":
            if self.at("function"):
                functions.append(self._function())
            elif self.at("service"):
                services.append(self._service())
            elif self.at("import"):
                self.refuse("imports are not supported; copy what is imported into this file")
            else:
                self.refuse(f"'service' or 'function' expected, not {self.token.text!r}")
        if not services:
            self.refuse(
                "there is no service; write service cloud.firestore { ... } or service firebase.storage { ... }"
            )
        return File(name, tuple(functions), tuple(services))

    def _version(self) -> None:
        reason = "the file must begin with rules_version = '2'; other versions are not supported"
        if not self.accept("rules_version") or not self.accept("=") or self.token.value != "2":
            self.refuse(reason)
        self.advance()
        self.accept(";")

    def _service(self) -> Service:
        at = self.advance().at
        name = self.identifier("the service's name")
        while self.accept("."):
            name += f".{self.identifier('the service')}"
        self.expect("{", f"after 'service {name}'")
        functions: list[Function] = []
        matches: list[Match] = []
        while not self.accept("}"):
            if self.at("function"):
                functions.append(self._function())
            elif self.at("match"):
                matches.append(self._match())
            else:
                self.refuse(f"'match', 'function' or '}}' expected, not {self.token.text!r}")
        if not (functions or matches):
            self.refuse(f"the service is empty; give {name} a match", at)
        return Service(at, name, tuple(functions), tuple(matches))

    def _match(self) -> Match:
        at = self.advance().at
        pattern = self._pattern()
        self.expect("{", "after the path of a match")
        functions: list[Function] = []
        allows: list[Allow] = []
        matches: list[Match] = []
        while not self.accept("}"):
            if self.at("allow"):
                allows.append(self._allow())
            elif self.at("match"):
                matches.append(self._match())
            elif self.at("function"):
                functions.append(self._function())
            else:
                self.refuse(f"'allow', 'match', 'function' or '}}' expected, not {self.token.text!r}")
        if not (functions or allows or matches):
            self.refuse("the match is empty; give it an allow statement, or remove it", at)
        return Match(at, pattern, tuple(functions), tuple(allows), tuple(matches))

    def _pattern(self) -> tuple[str | Wildcard, ...]:
        found: list[str | Wildcard] = []
        while self.token.kind in {"segment", "wildcard"}:
            found.append(self.segment())
        if not found or self.at("/") or self.token.kind == "put":
            self.refuse("a path expected after 'match', of segments such as /users, /{id} or /{rest=**}")
        return tuple(found)

    def _allow(self) -> Allow:
        at = self.advance().at
        methods: list[str] = []
        while True:
            if self.token.text not in METHODS:
                self.refuse(f"{self.token.text!r} is no method; the methods are {', '.join(METHODS)}")
            methods += METHODS[self.advance().text]
            if not self.accept(","):
                break
        condition: Expression | None = None
        if self.accept(":"):
            self.expect("if", "after ':'")
            condition = self.expression()
        elif self.at("if"):
            self.refuse("':' expected between the methods and 'if'")
        self.accept(";")
        return Allow(at, tuple(dict.fromkeys(methods)), condition)

    def _function(self) -> Function:
        at = self.advance().at
        name = self.identifier("the function's name")
        self.expect("(", "after the function's name")
        parameters: list[str] = []
        if not self.accept(")"):
            parameters.append(self.identifier("a parameter"))
            while self.accept(","):
                parameters.append(self.identifier("a parameter"))
            self.expect(")", "after the parameters")
        self.expect("{", "before the function's body")
        lets: list[Let] = []
        while self.at("let"):
            let_at = self.advance().at
            variable = self.identifier("a variable")
            self.expect("=", "after the variable")
            lets.append(Let(let_at, variable, self.expression()))
            self.expect(";", "after 'let'")
        self.expect("return", "in a function, which has lets and then one return")
        result = self.expression()
        self.accept(";")
        self.expect("}", "after 'return', which is a function's last statement")
        return Function(at, name, tuple(parameters), tuple(lets), result)
