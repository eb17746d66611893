"""The HTTP API without a framework: what is taken, what is given back, what is refused."""
