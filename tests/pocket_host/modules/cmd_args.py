"""The command line's arguments; extensions add theirs in preload.py."""

import argparse

parser = argparse.ArgumentParser("pocket host", description="A tiny web UI of our own; not A1111.")
parser.add_argument("--port", type=int, default=None, help="port of the page, 7860 or the next free one by default")
parser.add_argument("--listen", action="store_true", help="answer other machines too")
parser.add_argument("--nowebui", action="store_true", help="the API alone, without a page")
parser.add_argument("--api", action="store_true", help="offer /sdapi/v1")
parser.add_argument("--api-auth", type=str, default=None, help='"name:password", several divided by commas')
parser.add_argument("--data-dir", type=str, default=None, help="where pictures and settings go")
parser.add_argument("--medvram", action="store_true", help="accepted, and means nothing here")
parser.add_argument("--lowvram", action="store_true", help="accepted, and means nothing here")
parser.add_argument("--theme", type=str, default=None, help='"dark" or "light"; by default the browser\'s')
parser.add_argument("--skip-load-model-at-start", action="store_true", help="load the checkpoint at its first use")
parser.add_argument("--no-checkpoint", action="store_true", help="pretend that no checkpoint can be found")
parser.add_argument("--without-extension", action="store_true", help="do not load the extension: for comparisons")
