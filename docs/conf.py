"""The documentation site: ``sphinx-build -W --keep-going docs docs/_build``; needs no network."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer
from sphinx.domains.python import PyObject

if TYPE_CHECKING:
    from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from itwin_async import __version__

project = "itwin_async"
author = "itwin_async maintainers"
version = release = __version__
copyright = "itwin_async maintainers, MIT licence"  # noqa: A001 - Sphinx's name

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
]
exclude_patterns = ["_build", "pictures"]

smartquotes = False  # "--" is an option

html_theme = "furo"
html_title = f"itwin_async {release}"
html_show_sourcelink = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_display_short_literal_types = True
maximum_signature_line_length = 90
add_module_names = False
toc_object_entries_show_parents = "hide"


def plain_help(_app: Sphinx, _context: object, lines: list[str]) -> None:
    """Take the help of a command for plain text, and lines that click keeps for literal ones."""
    found: list[str] = []
    literal = False
    for line in lines:
        if line.startswith("|"):
            found += [] if literal else ["", ".. code-block:: text", ""]
            found.append("   " + line[2:])
        elif line.lstrip().startswith(("..", ":default:")):
            found.append(line)
        else:
            head, mark, text = line.rpartition("**Required**")
            found.append(head + mark + re.sub(r"[*`]|(?<=\w)_(?!\w)", r"\\\g<0>", text))
        literal = line.startswith("|")
    lines[:] = found


def leave_out_exceptions(
    _app: Sphinx, what: str, _name: str, value: object, _skip: bool, options: object
) -> bool | None:
    """Leave out exceptions, for which there is a page, where ``:exclude-members:`` says so."""
    is_exception = isinstance(value, type) and issubclass(value, Exception)
    excluded = getattr(options, "exclude_members", None) or ()
    return True if what == "module" and is_exception and "exceptions" in excluded else None


def list_values(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Put what a module exports beside classes and functions where a page says ``values::``."""

    def directives(found: re.Match[str]) -> str:
        module = import_module(found[1])
        lines: list[str] = []
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if isinstance(value, str | int):  # what autodoc says of them is that of their class
                lines += [f".. py:data:: {name}", f"   :value: {value!r}", ""]
            elif not isinstance(value, (type, FunctionType, ModuleType)):
                lines += [f".. autodata:: {module.__name__}.{name}"]
                lines += ["   :no-value:"] * bool(re.match("<.* object at ", repr(value)))
        return "\n".join(lines)

    source[0] = re.sub(r"^\.\. values:: (\S+)$", directives, source[0], flags=re.MULTILINE)


def name_base(
    _app: Sphinx, what: str, _name: str, value: type, _options: object, lines: list[str]
) -> None:
    """Say of which class of the package a class has the attributes, too."""
    base = value.__bases__[0] if what in {"class", "exception"} and value.__bases__ else object
    if base.__module__.startswith("itwin_async") and not base.__name__.startswith("_"):
        lines += ["", f"Has what :py:obj:`~{base.__module__}.{base.__qualname__}` has, too.", ""]


def plain_times(
    _app: Sphinx, _what: str, _name: str, _value: object, _options: object, text: str, returned: str
) -> tuple[str, str] | None:
    """Show a time as the class that it has for everybody but the decoder."""
    annotated = r"~?(?:typing\.)?Annotated\[~?(?:datetime\.)?datetime, [^\]]*\]"
    return (re.sub(annotated, "datetime", text), returned) if text else None


def setup(app: Sphinx) -> None:
    """Adapt what the extensions do."""
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.connect("autodoc-skip-member", leave_out_exceptions)
    app.connect("source-read", list_values)
    app.connect("autodoc-process-docstring", name_base)
    app.connect("autodoc-process-signature", plain_times)
    app.add_lexer("http", TextLexer)  # ours are several requests, each without a version
    for part in ("description", "options", "arguments", "epilog"):
        app.connect(f"sphinx-click-process-{part}", plain_help)
