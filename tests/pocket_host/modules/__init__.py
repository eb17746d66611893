"""A fake of a web UI's `modules`: the names, calls and orders that our extension relies on, written from their behaviour.

POCKET marks it as the fake; nothing in it is A1111's code.
"""

POCKET = True
