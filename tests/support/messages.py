"""All messages of the package, read off its sources."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path

import attrs
import click

_CLICK = {
    name
    for name, value in vars(click).items()
    if isinstance(value, type) and issubclass(value, Exception)
}
_BUILTIN = {
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, Exception)
}
_TEXTS = (ast.Constant, ast.JoinedStr, ast.BinOp)


@attrs.frozen
class Source:
    """A package's syntax trees by module, and what makes an exception in it: name to class."""

    trees: dict[str, ast.Module]
    makers: dict[str, str]


def read(package: Path) -> Source:
    """Parse a package and find its exception classes and the functions that return one."""
    trees = {
        ".".join(file.relative_to(package.parent).with_suffix("").parts): ast.parse(
            file.read_text(encoding="utf-8")
        )
        for file in sorted(package.rglob("*.py"))
    }
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    known = _BUILTIN | _CLICK
    while (
        found := {
            node.name
            for node in nodes
            if isinstance(node, ast.ClassDef) and known & {_name(base) for base in node.bases}
        }
        - known
    ):
        known |= found
    makers = {name: name for name in known}
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            returned = {part.id for part in ast.walk(node.returns) if isinstance(part, ast.Name)}
            if returned & known and returned <= known | {"None"}:
                makers[node.name] = "|".join(sorted(returned))
    return Source(trees, makers)


def messages(package: Path) -> list[str]:
    """List all messages as ``module: class: text``."""
    source = read(package)
    lines = {
        f"{module}: {cls}: {text}"
        for module, tree in source.trees.items()
        for cls, text in _messages(tree, source.makers)
    }
    return sorted(lines)


def _messages(tree: ast.Module, makers: dict[str, str]) -> Iterator[tuple[str, str]]:
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for scope in [*functions, tree]:
        assigned = _assigned(scope)
        for node in _own(scope):
            if isinstance(node, ast.Call) and (cls := makers.get(_name(node.func))):
                for text in _of_call(node, assigned):
                    yield cls, text


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Walk through a function or module without the functions in it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _own(child)


def _assigned(scope: ast.AST) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in _own(scope):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def _of_call(call: ast.Call, assigned: dict[str, list[ast.expr]]) -> Iterator[str]:
    arguments = call.args
    if _name(call.func) in {"ArgumentError", "invalid"} and len(arguments) == 3:
        yield f"{_text(arguments[0])} must be {_text(arguments[2])}"
        return
    named = [keyword.value for keyword in call.keywords if keyword.arg == "message"]
    for argument in [*arguments, *named]:
        values = assigned.get(argument.id, []) if isinstance(argument, ast.Name) else [argument]
        for value in values:
            for branch in [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]:
                if isinstance(branch, _TEXTS) and " " in (text := _text(branch)).strip():
                    yield text


def _text(value: ast.expr) -> str:
    match value:
        case ast.Constant(str() as text):
            return text.replace("\n", "\\n")
        case ast.JoinedStr(parts):
            return "".join(_text(part) for part in parts)
        case ast.FormattedValue(inner):
            return f"{{{ast.unparse(inner)}}}"
        case ast.BinOp(left, ast.Add(), right):
            return _text(left) + _text(right)
        case ast.IfExp(_, yes, no):
            return f"[{_text(yes)} | {_text(no)}]"
    return f"{{{ast.unparse(value)}}}"


def _name(node: ast.expr) -> str:
    """Give the last part of a dotted name."""
    match node:
        case ast.Name(name) | ast.Attribute(_, name):
            return name
    return ""
