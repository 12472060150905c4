"""Downloads of changesets against a plain aiohttp loop."""
