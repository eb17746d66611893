"""Programs run by hand against a real host; there is nothing here for pytest."""

collect_ignore_glob = ["*.py"]
