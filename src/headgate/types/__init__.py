"""Words everyone shares: frozen values, no I/O."""
