"""The tiny model for every unit test that wants one: `models`, its folder, and `backbone`, freshly loaded."""

from tests.tiny import backbone, models

__all__ = ["backbone", "models"]
