"""What a test can do with an emulator: from Python, over HTTP, and on a page."""
