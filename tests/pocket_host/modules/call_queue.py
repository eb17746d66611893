"""One job at a time: the lock, and the wrappers that the page's functions are given."""

import html
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from modules import errors, progress, shared


class FIFOLock:
    """A lock that is given in the order in which it was asked for; not re-entrant, like the hosts'."""

    def __init__(self) -> None:
        self._lock, self._inner = threading.Lock(), threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    def acquire(self, blocking: bool = True) -> bool:
        """Whether it was got."""
        with self._inner:
            if self._lock.acquire(blocking=False):
                return True
            if not blocking:
                return False
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()
        return self._lock.acquire()

    def release(self) -> None:
        """To the next in the row."""
        with self._inner:
            self._lock.release()
            if self._waiting:
                self._waiting.popleft().set()

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._lock.locked()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


queue_lock = FIFOLock()


def wrap_queued_call(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under the lock."""

    def inner(*args: Any, **kwargs: Any) -> Any:
        with queue_lock:
            return function(*args, **kwargs)

    return inner


def wrap_gradio_gpu_call(function: Callable[..., Any], extra_outputs: list[Any] | None = None) -> Callable[..., Any]:
    """The function as a job: under the lock, with progress; an exception becomes a red sentence in the last output."""

    def job(*args: Any, **kwargs: Any) -> Any:
        task = args[0] if args and isinstance(args[0], str) and args[0].startswith("task(") else None
        if task:
            progress.add_task_to_queue(task)
        with queue_lock:
            shared.state.begin(job=task or "pocket")
            progress.start_task(task)
            try:
                result = function(*args, **kwargs)
                progress.record_results(task, result)
            finally:
                progress.finish_task(task)
                shared.state.end()
        return result

    return wrap_gradio_call(job, extra_outputs, add_stats=True)


def wrap_gradio_call(
    function: Callable[..., Any], extra_outputs: list[Any] | None = None, add_stats: bool = False
) -> Callable[..., Any]:
    """The function, its last output an HTML text to which time or error is added."""

    def inner(*args: Any, **kwargs: Any) -> list[Any]:
        start = time.perf_counter()
        try:
            result = list(function(*args, **kwargs))
        except Exception as error:
            errors.report("Error completing request", exc_info=True)
            result = [
                *(extra_outputs or [None, ""]),
                f"<div class='error'>{html.escape(f'{type(error).__name__}: {error}')}</div>",
            ]
        if add_stats:
            result[-1] = (result[-1] or "") + f"<p class='time'>Time taken: {time.perf_counter() - start:.1f} sec.</p>"
        return result

    return inner


wrap_gradio_call_no_job = wrap_gradio_call
