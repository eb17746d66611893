"""What a web UI reads before anything else: our one argument of its command line. Nothing is imported here."""

import argparse


def preload(parser: argparse.ArgumentParser) -> None:
    """Declare `--ldznet-models-dir`."""
    parser.add_argument(
        "--ldznet-models-dir",
        metavar="DIR",
        default=None,
        help="folder with trained LD-ZNet heads, looked into beside the extension's models and models/ldznet",
    )
