"""Models as rows: columns, Arrow, HTML."""
