"""The site builds without a warning, and every public name and command is in it."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import click
import pytest
from documents import ROOT

import itwin_async
from itwin_async.cli.app import app

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("furo") is None, reason="the group docs is not installed"),
]


def test_the_site_is_whole(tmp_path: Path) -> None:
    build(tmp_path)  # once, for it takes its time
    assert names_left_out(tmp_path) == []
    assert commands_left_out(tmp_path) == []


def build(folder: Path) -> None:
    options = ["--fail-on-warning", "--keep-going", "--quiet"]
    command = [sys.executable, "-m", "sphinx", *options, ROOT / "docs", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def inventory(site: Path) -> set[str]:
    """Give the names of all Python objects of the site."""
    packed = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    rows = [row.split(" ") for row in zlib.decompress(packed).decode("utf-8").splitlines()]
    return {row[0] for row in rows if row[1].startswith("py:")}


def public_modules() -> Iterator[ModuleType]:
    yield itwin_async
    for found in pkgutil.walk_packages(itwin_async.__path__, "itwin_async."):
        if not any(part.startswith("_") for part in found.name.split(".")):
            module = importlib.import_module(found.name)
            if hasattr(module, "__all__"):
                yield module


def names_left_out(site: Path) -> list[str]:
    known = inventory(site)
    documented = {id(find(name)) for name in known if find(name) is not None}
    return [
        f"{module.__name__}.{name}"
        for module in public_modules()
        for name in module.__all__
        if f"{module.__name__}.{name}" not in known
        # It may stand under the name of another module that has it, too.
        and (id(getattr(module, name)) not in documented)
        and not isinstance(getattr(module, name), ModuleType)
    ]


def find(name: str) -> object:
    """Give an object of the package by its name, or None if it is a member of a class."""
    module, _, last = name.rpartition(".")
    return getattr(sys.modules[module], last, None) if module in sys.modules else None


def commands(command: click.Command, path: str) -> Iterator[str]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, f"{path}-{name}")


def commands_left_out(site: Path) -> list[str]:
    page = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    left_out = []
    for path in commands(app, "itwin-async"):
        anchor = path.lower().replace(".", "-").replace("_", "-")
        if f'id="{anchor}' not in page and f'id="{path}' not in page:
            left_out.append(path)
    return left_out
