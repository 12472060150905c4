"""Complete small programs that use ``itwin_async``; each file stands on its own."""
