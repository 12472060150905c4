"""HTTP for this package: requests, attempts, retries, limits, credentials."""
