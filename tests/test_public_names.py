"""What is public is listed, documented and cheap to import."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import itwin_async

PACKAGES = [
    "itwin_async",
    *(
        f"itwin_async.{module.name}"
        for module in pkgutil.iter_modules(itwin_async.__path__)
        if module.ispkg and not module.name.startswith("_")
    ),
]


@pytest.mark.parametrize("name", PACKAGES)
def test_what_is_exported_is_listed(name: str) -> None:
    package = importlib.import_module(name)
    assert len(set(package.__all__)) == len(package.__all__)
    for exported in package.__all__:
        assert hasattr(package, exported)
    assert package.__file__ is not None
    tree = ast.parse(Path(package.__file__).read_text("utf-8"))
    top = [
        *tree.body,
        *(node for part in tree.body if isinstance(part, ast.If) for node in part.body),
    ]
    imported = {
        alias.asname or alias.name
        for node in top
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("itwin_async")
        for alias in node.names
    }
    made = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    assert {found for found in imported | made if found[:1] != "_"} - {"annotations"} == {
        exported for exported in package.__all__ if exported != "__version__"
    }


def own_members(value: type) -> list[tuple[str, object]]:
    return [
        (name, member)
        for name, member in vars(value).items()
        if not name.startswith("_") and (inspect.isroutine(member) or isinstance(member, property))
    ]


@pytest.mark.parametrize("name", PACKAGES)
def test_everything_public_is_documented(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__doc__
    for exported in package.__all__:
        value = getattr(package, exported)
        if isinstance(value, ModuleType):
            assert value.__doc__
        elif inspect.isroutine(value):
            assert inspect.getdoc(value), exported
            assert all(
                parameter.annotation is not inspect.Parameter.empty
                for parameter in inspect.signature(value).parameters.values()
            ), exported
        elif inspect.isclass(value):
            assert vars(value).get("__doc__"), exported
            for member, function in own_members(value):
                assert inspect.getdoc(function), f"{exported}.{member}"


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = itwin_async.nothing


LEAN = """
import sys
import itwin_async
first = set(sys.modules)
from itwin_async import *
bad = [name for name in sys.modules if name.split(".")[0] in {
    "click", "rich", "dotenv", "keyring", "filelock", "pyarrow", "matplotlib", "zstandard",
    "pytest", "hypothesis", "dlt", "pyspark",
}]
bad += [name for name in sys.modules if name.startswith(tuple(
    f"itwin_async.{part}" for part in ("emulator", "testing", "cli", "harvest", "auth", "catalog")
))]
print(sorted(bad))
print(sorted(name for name in first if name in {
    "itwin_async.imodels", "itwin_async.itwins", "itwin_async.saved_views", "itwin_async.bulk"
}))
"""


WITHOUT_A_CONVERTER = """
import asyncio, sys
from itwin_async import Session, itwins
from itwin_async.emulator import Emulator

async def main():
    async with Emulator() as platform:
        async with Session(platform.token, base_url=platform.base_url) as session:
            assert await itwins.list_itwins(session).collect()

asyncio.run(main())
print("cattrs" in sys.modules)
from itwin_async import converter
print("cattrs" in sys.modules)
"""


def test_cattrs_is_loaded_where_a_converter_is_used() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_CONVERTER], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]


def test_importing_brings_no_extras_and_no_emulator() -> None:
    done = subprocess.run([sys.executable, "-c", LEAN], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


def test_the_version_is_that_of_the_distribution() -> None:
    assert itwin_async.__version__.count(".") == 2
    assert sorted(set(itwin_async.__all__) - set(dir(itwin_async))) == []
