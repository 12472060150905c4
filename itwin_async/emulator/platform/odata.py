"""As much of OData's `$filter`, `$orderby` and `$select` as the platform documents."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import NoReturn, TypeAlias

from itwin_async.emulator.json_types import Json

Row: TypeAlias = Mapping[str, Json]
Test: TypeAlias = Callable[[Row], bool]

_TOKEN = re.compile(r"'(?:[^']|'')*'|[()\[\],]|[^\s()\[\],']+|'")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_CLOSING = {"(": ")", "[": "]"}
_FUNCTIONS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": str.__contains__,
    "startswith": str.startswith,
}


class ODataSyntaxError(ValueError):
    """An expression that cannot be read; its text is the platform's message."""

    def __init__(self, expression: str, position: int) -> None:
        super().__init__(f"Syntax error at position {position} in '{expression}'.")


class UnknownPropertyError(ValueError):
    """An expression with a member that rows do not have; its text is the name."""


class Filter:
    """
    A `$filter`: `eq`, `ge`, `le`, `in`, `contains`, `startswith`, `and`, `or` and parentheses.

    Args:
        expression: the text.
        known: the members that rows have.

    Raises:
        ODataSyntaxError: the text is no such expression.
        UnknownPropertyError: it names a member that rows do not have.

    """

    def __init__(self, expression: str, known: Collection[str]) -> None:
        self.names: dict[str, None] = {}  # in their order
        self._expression = expression
        self._tokens = [(match[0], match.end()) for match in _TOKEN.finditer(expression)]
        self._next = 0
        self.matches = self._alternatives()
        if self._peek():
            self._fail()
        read_names(",".join(self.names), known)

    def _alternatives(self) -> Test:
        tests = [self._conjunction()]
        while self._take("or"):
            tests.append(self._conjunction())
        return lambda row: any(test(row) for test in tests)

    def _conjunction(self) -> Test:
        tests = [self._comparison()]
        while self._take("and"):
            tests.append(self._comparison())
        return lambda row: all(test(row) for test in tests)

    def _comparison(self) -> Test:
        if self._take("("):
            inner = self._alternatives()
            self._need(")")
            return inner
        for function, test in _FUNCTIONS.items():
            if self._take(function):
                return self._call(test)
        name = self._property()
        if self._take("in"):
            choices = self._list()
            return lambda row: any(_compare(row[name], choice) == 0 for choice in choices)
        for operator, sign in (("ge", 1), ("le", -1)):
            if self._take(operator):
                bound = self._literal()
                return lambda row: _compare(row[name], bound) in {0, sign}
        self._need("eq")
        value = self._literal()
        return lambda row: _compare(row[name], value) == 0

    def _call(self, test: Callable[[str, str], bool]) -> Test:
        # The platform documents both orders of the arguments.
        self._need("(")
        value_first = self._peek().startswith("'")
        value = self._literal() if value_first else None
        name = self._property() if not value_first else ""
        self._need(",")
        name, value = (self._property(), value) if value_first else (name, self._literal())
        self._need(")")
        wanted = str(value).lower()
        return lambda row: test(str(row[name] or "").lower(), wanted)

    def _list(self) -> list[Json]:
        closing = _CLOSING.get(self._peek())
        if closing is None:
            self._fail()
        self._next += 1
        found = [self._literal()]
        while self._take(","):
            found.append(self._literal())
        self._need(closing)
        return found

    def _property(self) -> str:
        name = self._peek()
        if not name[:1].isalpha():
            self._fail()
        self._next += 1
        self.names[name] = None
        return name

    def _literal(self) -> Json:
        token = self._peek()
        if len(token) > 1 and token.startswith("'"):
            value: Json = token[1:-1].replace("''", "'")
        elif token == "null":  # noqa: S105 - a word of the language
            value = None
        elif _NUMBER.fullmatch(token):
            value = float(token)
        elif _moment(token) is not None:
            value = token
        else:
            self._fail()
        self._next += 1
        return value

    def _peek(self) -> str:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else ""

    def _take(self, word: str) -> bool:
        found = self._peek() == word
        self._next += found
        return found

    def _need(self, word: str) -> None:
        if not self._take(word):
            self._fail()

    def _fail(self) -> NoReturn:
        # The platform's parser has read the word that it does not like.
        ends = [end for _, end in self._tokens[self._next :]]
        raise ODataSyntaxError(self._expression, ends[0] if ends else len(self._expression))


def read_order(expression: str, known: Collection[str]) -> list[tuple[str, bool]]:
    """Return the members of an `$orderby`, each with whether it descends; errors as of `Filter`."""
    found: list[tuple[str, bool]] = []
    end = -1
    for part in expression.split(","):
        end += 1 + len(part)
        name, *rest = part.split() or [""]
        direction = " ".join(rest).lower()
        if not name or direction not in {"", "asc", "desc"}:
            raise ODataSyntaxError(expression, end)
        found.append((read_names(name, known)[0], direction == "desc"))
    return found


def read_names(expression: str, known: Collection[str]) -> list[str]:
    """Return the members of a `$select`; UnknownPropertyError for one that rows do not have."""
    names = [part.strip() for part in expression.split(",")]
    for name in names:
        if name not in known:
            raise UnknownPropertyError(name)
    return names


def order_key(value: Json) -> tuple[bool, float, str]:
    """Return what sorts a value among others of the same member: null first, texts by letters."""
    number = value if isinstance(value, (int, float)) else 0.0
    return value is not None, number, _text(value)


def _compare(value: Json, literal: Json) -> int | None:
    """Return -1, 0 or 1; None if the two cannot be compared."""
    if value is None or literal is None:
        return 0 if value is literal else None
    if isinstance(value, (int, float)) and isinstance(literal, float):
        return (value > literal) - (value < literal)
    first, second = _moment(str(value)), _moment(str(literal))
    if first is not None and second is not None:
        return (first > second) - (first < second)
    text, other = _text(value), _text(literal)
    return (text > other) - (text < other)


def _text(value: Json) -> str:
    return value.lower() if isinstance(value, str) else ""


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)
