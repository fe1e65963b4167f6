"""What the data plane costs, measured against a bare nginx in the same run: `python -m bench`."""
