"""What a host's launcher knows of itself."""


def git_tag() -> str:
    """The version."""
    return "pocket"


def commit_hash() -> str:
    """Of its checkout."""
    return "<none>"


def is_installed(package: str) -> bool:
    """Whether a package can be imported."""
    import importlib.util

    return importlib.util.find_spec(package) is not None
