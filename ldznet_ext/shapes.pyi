# What a type checker reads in place of shapes.py: the plain tensor type, with its axes as a note.
from typing import Annotated as Bool
from typing import Annotated as Float
from typing import Annotated as Int

__all__ = ["Bool", "Float", "Int"]
