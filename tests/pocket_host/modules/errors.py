"""What went wrong in somebody's callback goes to the log and never further."""

import sys
import traceback


def report(message: str, *, exc_info: bool = False) -> None:
    """A message, and with `exc_info` the traceback of what is being handled."""
    print(f"*** {message}", file=sys.stderr)
    if exc_info:
        print(traceback.format_exc(), file=sys.stderr)


def display(error: Exception, task: str, *, full_traceback: bool = False) -> None:
    """An exception at a task."""
    print(f"{task}: {type(error).__name__}: {error}", file=sys.stderr)
    if full_traceback:
        traceback.print_exception(error)
