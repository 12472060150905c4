"""README and the pages of the documentation, taken at their word."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs

ROOT = Path(__file__).parents[2]

# Packages of the reader's, not of this one, without which a snippet cannot run.
FOREIGN = ("dask", "dlt", "duckdb", "pandas")

_PART = re.compile(
    r"^## (?P<section>[^\n]+)$"
    r"|(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?"
    r"^```(?P<language>[^\s`]*)[^\n`]*\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@attrs.frozen
class Snippet:
    """
    A fenced block of a page.

    Attributes:
        page: path in the repository.
        line: of its first line.
        section: heading of the second level above it.
        language: empty for what a program prints, in braces for directives of Sphinx.
        text: what is in it.
        reason: why it is not run, as a comment above it says; empty if it is.

    """

    page: str
    line: int
    section: str
    language: str
    text: str
    reason: str = ""


def text(name: str) -> str:
    """Give a document by its path in the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def pages() -> list[str]:
    """Give README and all pages of the site."""
    found = [path.relative_to(ROOT) for path in sorted((ROOT / "docs").rglob("*.md"))]
    return ["README.md", *(str(path) for path in found if "_build" not in path.parts)]


def snippets(page: str) -> list[Snippet]:
    """Give all fenced blocks of a page."""
    whole, section = text(page), ""
    found: list[Snippet] = []
    for part in _PART.finditer(whole):
        if part["section"]:
            section = part["section"]
            continue
        line = whole.count("\n", 0, part.start("text")) + 1
        found.append(
            Snippet(page, line, section, part["language"], part["text"], part["reason"] or "")
        )
    return found


def blocks(page: str, language: str) -> list[str]:
    """Give the texts of the blocks in a language that are to be run."""
    return [one.text for one in snippets(page) if one.language == language and not one.reason]


def sections(page: str, language: str = "python") -> dict[str, list[str]]:
    """Give the texts of the blocks in a language by the sections that have any."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in snippets(page):
        if one.language == language and not one.reason:
            found[one.section].append(one.text)
    return dict(found)


def transcript(console: str) -> list[tuple[str, str]]:
    """Give the commands of a console block, each with the output below it."""
    parts = re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def is_like(said: str, shown: str) -> bool:
    """Whether an output is the one that is shown, where ``...`` stands for anything."""
    lines = [
        ".*" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*")
        for line in shown.splitlines()
    ]
    return re.fullmatch(r"\s*\n".join(lines) + r"\s*", said, re.DOTALL) is not None


async def execute(name: str, snippet: str, names: dict[str, Any]) -> None:
    """Run a snippet as if it stood in a coroutine, unless it imports what is not installed here."""
    imported = re.findall(r"import (\w+)", snippet)
    if any(module in imported and find_spec(module) is None for module in FOREIGN):
        return
    snippet = snippet.replace("asyncio.run(main())", "await main()")
    code = compile(snippet, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)
    if inspect.isawaitable(result):
        await result
