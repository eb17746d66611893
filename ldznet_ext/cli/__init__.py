"""The command line `ldznet` = `python -m ldznet_ext`: one file a command, each with `add_arguments` and `run`."""
