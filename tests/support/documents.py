"""README and chapters, taken at their word."""

from __future__ import annotations

import ast
import inspect
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

# Packages of the reader's, not of this one, without which a snippet cannot run.
FOREIGN = ("duckdb", "pandas")


def text(name: str) -> str:
    """Give a document by its path in the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """Give the fenced blocks of a document that are in a language."""
    return re.findall(rf"```{language}\n(.*?)```", text(name), re.DOTALL)


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
