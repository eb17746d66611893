"""What the page asks while it waits."""

import time
from typing import Any

from pydantic import BaseModel

from modules import shared

current_task: str | None = None
pending_tasks: dict[str, float] = {}
finished_tasks: list[str] = []


def start_task(task: str | None) -> None:
    """A task of the page has its turn."""
    global current_task
    current_task = task
    pending_tasks.pop(task or "", None)


def finish_task(task: str | None) -> None:
    """It is over; the last sixteen are remembered."""
    global current_task
    if current_task == task:
        current_task = None
    if task:
        finished_tasks.append(task)
        del finished_tasks[:-16]


def add_task_to_queue(task: str) -> None:
    """It waits."""
    pending_tasks[task] = time.time()


def record_results(task: str | None, results: Any) -> None:
    """The pocket host restores nothing."""


class ProgressRequest(BaseModel):
    """Which task is asked after."""

    id_task: str = ""
    id_live_preview: int = -1
    live_preview: bool = True


def setup_progress_api(app: Any) -> None:
    """The route that the page polls."""
    app.add_api_route("/internal/progress", progress_of, methods=["POST"])


def progress_of(request: ProgressRequest) -> dict[str, Any]:
    """How far a task is, 0..1."""
    active, queued = request.id_task == current_task, request.id_task in pending_tasks
    return {
        "active": active,
        "queued": queued,
        "completed": request.id_task in finished_tasks,
        "progress": fraction() if active else None,
        "textinfo": shared.state.textinfo or ("Waiting..." if queued else None),
    }


def fraction() -> float:
    """Of the whole job, batches and steps together."""
    state = shared.state
    jobs = max(1, state.job_count)
    steps = state.sampling_step / state.sampling_steps if state.sampling_steps else 0.0
    return min(1.0, (state.job_no + steps) / jobs)
