"""The APIs of the emulated platform."""
