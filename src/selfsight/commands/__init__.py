"""The commands as functions: what `selfsight NAME` does, from Python, with the same defaults."""
