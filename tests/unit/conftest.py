"""The tiny model for every unit test that wants one: `models`, its folder, and `backbone`, freshly loaded.

What hypothesis tries has no deadline of its own: a machine with other work to do must not fail a law.
"""

import contextlib

from tests.tiny import backbone, models

__all__ = ["backbone", "models"]

with contextlib.suppress(ImportError):  # the pocket host's environment has none
    from hypothesis import settings

    settings.register_profile("ldznet", deadline=None)
    settings.load_profile("ldznet")
