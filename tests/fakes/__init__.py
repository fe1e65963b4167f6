"""Fakes that are real: servers on real sockets that do what a script says."""
