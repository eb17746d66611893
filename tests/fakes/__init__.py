"""Stand-ins for programs this one runs inside: only what it calls, held to what the true ones were seen to do."""
