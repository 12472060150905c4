"""A table that is written while its rows arrive; the first rows decide how wide its columns are."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from itwin_async.cli.cells import Column, Row

_GAP = "  "


class Table:
    """
    Lays out rows as text.

    Args:
        columns: what to show.
        console: decides about colours.
        cut: whether lines must not be wider than the console.

    """

    def __init__(self, columns: Sequence[Column], console: Console, *, cut: bool) -> None:
        self._columns = list(columns)
        self._console = console
        self._cut = cut
        self._widths: list[int] = []
        self.hidden: list[str] = []

    def render(self, rows: Sequence[Row]) -> str:
        """Lay out rows as whole lines; the header comes before the first of them."""
        cells = [[column.cell(row) for column in self._columns] for row in rows]
        lines: list[Text] = []
        if not self._widths:
            self._fit(cells)
            titles = [column.title for column in self._columns]
            lines.append(self._line(titles, header=True))
        lines += [self._line(row) for row in cells]
        if not self._console.is_terminal:
            return "".join(f"{line.plain}\n" for line in lines)
        with self._console.capture() as capture:
            self._console.print(Text("\n").join(lines), soft_wrap=True, highlight=False)
        return capture.get()

    def _fit(self, cells: list[list[str]]) -> None:
        """Choose the widths; the last columns are left out where there is no room for them."""
        titles = [cell_len(column.title) for column in self._columns]
        natural = [max(map(cell_len, column)) for column in zip(*cells, strict=True)] or titles
        natural = [max(pair) for pair in zip(natural, titles, strict=True)]
        wide = [max(natural[n], column.spare_width) for n, column in enumerate(self._columns)]
        if not self._cut:
            self._widths = wide
            return
        least = [
            width if column.whole else max(title, min(width, column.min_width))
            for width, title, column in zip(natural, titles, self._columns, strict=True)
        ]
        while len(least) > 1 and self._spare(least) < 0:
            least.pop()
        self.hidden = [column.title for column in self._columns[len(least) :]]
        del self._columns[len(least) :]
        self._widths = least
        self._grow(natural)
        self._grow(wide)

    def _grow(self, wanted: Sequence[int]) -> None:
        """Widen columns up to what they want, the narrowest first, while there is room."""
        for _ in range(self._spare(self._widths)):
            narrow = [n for n, width in enumerate(self._widths) if width < wanted[n]]
            if not narrow:
                return
            self._widths[min(narrow, key=self._widths.__getitem__)] += 1

    def _spare(self, widths: list[int]) -> int:
        return self._console.width - sum(widths) - len(_GAP) * (len(widths) - 1)

    def _line(self, cells: Sequence[str], *, header: bool = False) -> Text:
        line = Text()
        for cell, width, column in zip(cells, self._widths, self._columns, strict=False):
            length = cell_len(cell)
            if length > width and self._cut and not column.whole:
                text = f"{set_cell_size(cell, width - 1)}…"
            else:
                text = cell + " " * (width - length)
            line.append(text, style="bold" if header else column.style).append(_GAP)
        line.rstrip()
        return line
