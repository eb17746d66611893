"""What the small measuring commands of this package share: options, a bar, one JSON object or a sentence.

They are run as modules, `python -m ldznet_ext.eval.generation`; `ldznet report` does all of it at once.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ldznet_ext.errors import DataError, LdznetError, OptionError
from ldznet_ext.eval.judge import Judge, find_judge, load_judge
from ldznet_ext.eval.run import Progress

Measure = Callable[[argparse.Namespace, Progress], dict[str, object]]


def parser(description: str, name: str, *, judged: bool = True) -> argparse.ArgumentParser:
    """A parser with the common options."""
    made = argparse.ArgumentParser(prog=f"python -m ldznet_ext.eval.{name}", description=description)
    if judged:
        made.add_argument("--classifier", type=Path, help="the judge (default: one in models/ or runs/classifier/)")
    made.add_argument("--model", help="the diffusion model (default: sticker-sd)")
    made.add_argument("--device", help="where to compute, e.g. cpu")
    folder = Path("runs") / name
    made.add_argument("-o", "--out", type=Path, default=folder, help=f"folder for what is kept (default: {folder})")
    made.add_argument("--json", action="store_true", help="print one JSON object; all else goes to standard error")
    return made


def run(args: argparse.Namespace, measure: Measure, words: Callable[[Mapping[str, object]], str]) -> int:
    """Measure with a bar, then answer; 2 and one sentence where the user erred."""
    from tqdm import tqdm

    try:
        with contextlib.redirect_stdout(sys.stderr), tqdm(file=sys.stderr, dynamic_ncols=True) as bar:

            def tick(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            answer = measure(args, tick)
    except LdznetError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write((json.dumps(answer, ensure_ascii=False) if args.json else words(answer)) + "\n")
    return 0


def judge(args: argparse.Namespace) -> Judge:
    """The classifier, or DataError."""
    path = find_judge(args.classifier)
    if path is None:
        raise DataError("There is no classifier; run `ldznet train classifier`, or name its file with --classifier.")
    return load_judge(path)


def at_least_one(value: int | None, what: str) -> int | None:
    """The number itself, or OptionError below 1."""
    if value is not None and value < 1:
        raise OptionError(f"The number of {what} is {value}; expected at least 1.")
    return value
