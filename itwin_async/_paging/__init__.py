"""From a page to the next."""
