"""The documentation site: ``sphinx-build -W --keep-going docs docs/_build``; needs no network."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer

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
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_display_short_literal_types = True
maximum_signature_line_length = 90
add_module_names = False
toc_object_entries_show_parents = "hide"


def escape_help(_app: Sphinx, _context: object, lines: list[str]) -> None:
    """Take the help of a command for plain text, not for markup."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith(("..", ":default:")):
            head, mark, text = line.rpartition("**Required**")
            lines[number] = head + mark + re.sub(r"[*`]|(?<=\w)_(?!\w)", r"\\\g<0>", text)


def setup(app: Sphinx) -> None:
    """Adapt what the extensions do."""
    app.add_lexer("http", TextLexer)  # ours are several requests, each without a version
    for part in ("description", "options", "arguments", "epilog"):
        app.connect(f"sphinx-click-process-{part}", escape_help)
