"""What the running job is doing: counters for the bar, flags for the buttons."""

import threading
from typing import Any


class State:
    """One job at a time; read by the page every half second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.server_command: str | None = None
        self.end()

    def begin(self, job: str = "(unknown)") -> None:
        """A job starts: everything is cleared."""
        self.end()
        self.job, self.job_count, self.job_timestamp = job, -1, "20260101000000"

    def end(self) -> None:
        """The job is over."""
        self.job, self.job_no, self.job_count, self.job_timestamp = "", 0, 0, "0"
        self.sampling_step, self.sampling_steps = 0, 0
        self.skipped = self.interrupted = self.stopping_generation = False
        self.current_latent: Any = None
        self.current_image: Any = None
        self.current_image_sampling_step, self.id_live_preview = 0, 0
        self.textinfo: str | None = None
        self.time_start: float | None = None

    def skip(self) -> None:
        """Go on with the next batch."""
        self.skipped = True

    def interrupt(self) -> None:
        """Stop at the next step; what is there is shown."""
        self.interrupted = True

    def stop_generating(self) -> None:
        """Stop after the present picture."""
        self.stopping_generation = True

    def nextjob(self) -> None:
        """One part is done."""
        self.job_no += 1
        self.sampling_step = 0
        self.current_image_sampling_step = 0

    def assign_current_image(self, image: Any) -> None:
        """A picture for the live preview."""
        self.current_image = image
        self.id_live_preview += 1

    def set_current_image(self) -> None:
        """The pocket host has no previews."""

    def dict(self) -> dict[str, Any]:
        """For the API."""
        return {
            "skipped": self.skipped,
            "interrupted": self.interrupted,
            "stopping_generation": self.stopping_generation,
            "job": self.job,
            "job_count": self.job_count,
            "job_timestamp": self.job_timestamp,
            "job_no": self.job_no,
            "sampling_step": self.sampling_step,
            "sampling_steps": self.sampling_steps,
        }
