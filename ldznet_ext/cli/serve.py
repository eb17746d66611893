"""`ldznet serve`: the app in a browser, and the API, on this machine."""

import argparse
import sys

from ldznet_ext.cli import console, options
from ldznet_ext.errors import OptionError

EXTRA = ("gradio", "fastapi", "uvicorn")
EVERYWHERE = ("0.0.0.0", "::", "")
"""Hosts that are no address to call: every network of this machine."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to answer at (default: 127.0.0.1, this machine alone)"
    )
    parser.add_argument("--port", type=options.whole, help="port (default: 7870, or the next that is free)")
    parser.add_argument("--token", default="", help="asked of everyone; needed for any other --host (or LDZNET_TOKEN)")
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="open no browser")
    parser.add_argument("--no-page", dest="page", action="store_false", help="the API alone, without the app's page")
    options.add_backbone(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    _check_packages(args.page)
    from ldznet_ext.app.server import PORT, Serving, application, bound, serve
    from ldznet_ext.hosts.desk import StandaloneDesk
    from ldznet_ext.hosts.standalone import find_source

    serving = Serving.checked(args.host, args.port, args.token, args.page)
    listening = bound(serving.host, serving.port)
    port = listening.getsockname()[1]
    if args.port is None and port != PORT:
        console.say(f"Port {PORT} is taken, so it is {port} this time.")
    with console.quiet_output():
        find_source(args.model)  # refused here, where somebody reads it, and not on the page
        desk = StandaloneDesk(args.model, **options.loading(args))
        app = application(desk, token=serving.token, page=serving.page)
    address = _address(serving.host, port)

    def ready() -> None:
        others = f", for others at {_outside(port)}" if serving.host in EVERYWHERE else ""
        console.tell(f"{'The app' if serving.page else 'The API'} is at {address}{others}  (Ctrl-C ends it)")
        if args.browser and serving.page and sys.stdout.isatty():
            _open(address)

    serve(app, listening, ready)
    return 0


def _address(host: str, port: int) -> str:
    name = "127.0.0.1" if host in EVERYWHERE else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"


def _outside(port: int) -> str:
    """What other machines of the network may call this one by."""
    import socket

    return f"http://{socket.gethostname()}:{port}/"


def _open(address: str) -> None:
    import webbrowser

    webbrowser.open(address)


def _check_packages(page: bool) -> None:
    import importlib.util

    missing = [name for name in EXTRA if (page or name != "gradio") and importlib.util.find_spec(name) is None]
    if missing:
        raise OptionError(
            f"The app needs {', '.join(missing)}; expected {'it' if len(missing) == 1 else 'them'}, so run `make app`, or "
            "`pip install 'ldznet-ext[app]'`."
        )
