"""Measuring masks: metrics, test sets, floors, plots and the report of the paper's tables.

Nothing here is needed inside a web UI, and importing this package imports nothing else.
"""
