"""Between JSON and the models."""
