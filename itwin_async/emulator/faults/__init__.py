"""What goes wrong on purpose: the plan, and its effects on responses."""
