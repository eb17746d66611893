"""`ldznet demo`: words to a picture, other words to its mask, the repaint, one absence and one failure, on one page."""

import argparse
import sys
from pathlib import Path

from ldznet_ext.errors import OutputError

PROMPT = "a fox and a doughnut on snow, night"
WORDS = "fox"
NEW = "an owl"
ABSENT = "umbrella"
SEED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("-o", "--out", metavar="DIR", default="demo", help="folder for page and files (default: demo)")
    parser.add_argument("--prompt", default=PROMPT, help=f'what to paint (default: "{PROMPT}")')
    parser.add_argument("--mask", metavar="WORDS", default=WORDS, help=f'what to find in it (default: "{WORDS}")')
    parser.add_argument("--new", metavar="WORDS", default=NEW, help=f'what to paint there (default: "{NEW}")')
    parser.add_argument("--absent", metavar="WORDS", default=ABSENT, help=f'what is not there (default: "{ABSENT}")')
    parser.add_argument("--seed", type=int, default=SEED, help=f"of painting and repainting (default: {SEED})")


def run(args: argparse.Namespace) -> int:
    """Make the page and the sheet; returns 0, or the code of the command that stopped."""
    from ldznet_ext.cli.demo_page import page
    from ldznet_ext.cli.demo_sheet import sheet
    from ldznet_ext.cli.demo_story import Stopped, save_answers, tell

    folder = Path(args.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        story = tell(folder, prompt=args.prompt, words=args.mask, new=args.new, absent=args.absent, seed=args.seed)
        save_answers(story)
        sheet(story).save(folder / "sheet.png", optimize=True)
        (folder / "index.html").write_text(page(story), encoding="utf-8")
    except Stopped as stopped:
        return stopped.code
    except OSError as error:
        raise OutputError(
            f"The demo could not be written to {folder} ({error}); expected room, so free some or use -o."
        ) from error
    print(f"{folder / 'index.html'} and {folder / 'sheet.png'} in {story.seconds:.0f} s", file=sys.stderr)
    return 0
