"""Data frames of models, by way of Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from itwin_async._arguments import one_of
from itwin_async._tables.arrow import arrow, table
from itwin_async.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    PandasFrame: TypeAlias = pd.DataFrame
    PolarsFrame: TypeAlias = pl.DataFrame
    ArrowTable: TypeAlias = pa.Table

FrameLibrary: TypeAlias = Literal["pandas", "polars", "pyarrow"]


def frame_library(library: str) -> None:
    """
    Check before any request that frames of a library can be made.

    Raises:
        ConfigurationError: it is not installed.

    """
    one_of("library", library, get_args(FrameLibrary))
    if find_spec(library) is None:
        extra = "arrow" if library == "pyarrow" else library
        raise ConfigurationError(
            f"a frame of {library} needs an extra: pip install 'itwin-async[{extra}]'"
        )
    arrow("a frame")


def frame(
    cls: type, items: Sequence[object], library: FrameLibrary
) -> PandasFrame | PolarsFrame | ArrowTable:
    """Write items into a frame."""
    found = table(cls, items)
    if library == "pandas":
        return _flattened(found).to_pandas()
    return found if library == "pyarrow" else import_module(library).DataFrame(found)


def _flattened(nested: ArrowTable) -> ArrowTable:
    """Dissolve structs into columns whose names are joined by ``_``, as in a harvest's tables."""
    while any(str(kind).startswith("struct<") for kind in nested.schema.types):
        nested = nested.flatten()
    return nested.rename_columns([name.replace(".", "_") for name in nested.column_names])
