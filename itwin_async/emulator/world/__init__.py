"""What the emulated platform remembers."""
