"""Write docs/options.md out of the tables of options, or with --check say whether it is what they say.

`python tools/options_page.py`; a test walks the tables too, from the page to the panel, the command line, the API and back.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from ldznet_ext.job import ENABLED, GENERATION_OPTIONS
from ldznet_ext.paint import PAINT_OPTIONS
from ldznet_ext.request import CHOICE, FLAG, OPTIONS, WHOLE, Option

PAGE = Path(__file__).resolve().parent.parent / "docs" / "options.md"
FIRST = """\
# Options

<!-- Written by tools/options_page.py out of ldznet_ext/request.py and ldznet_ext/job.py; a change here is lost. -->

Every setting of a mask has one row in one table, and the panel of the web UIs, the page of `ldznet serve`, the command line, the
API, a picture's parameters and this page are read from it. A name is the same everywhere: `--no-refine` and `--grow 4` on the
command line, `"refine": false, "grow": 4` in the API, `LD-ZNet refine: False, LD-ZNet grow: 4` in a picture's parameters, where
only what differs from the default is written. What is out of range or misspelt is refused in a sentence.

## Of a mask

"""
ORDER = """
**The order in which they act.** Words, method, seed, timestep, `average` and `parity` ([real_models.md](real_models.md)) decide
what the model sees, `refine` and `sam` where its edges lie: changing one of them asks again. All others only shape what was
found, in 3 to 25 ms at 512x512 (but for `alpha`), in this order:

1. `threshold`, `cut`, `low`: from the probability to a mask; `soft` leaves it grey near the threshold. *Automatic* is Otsu's
   threshold of the map's own histogram, kept between half the method's threshold and half-way from that to 1.
2. `islands`, then `keep`, then what was clicked: which pieces stay. Pieces touch at sides or corners.
3. `holes`, then `grow`.
4. What was done by hand: added, cut to an outline, erased. It is not grown, so that it is where it was drawn; with `holes` an
   outline drawn by hand is filled. What is added by hand is there even where the words are not found, and is then the mask.
5. `alpha` ([edges.md](edges.md)), then `feather`: the edge.
6. `invert`, last of all; where nothing is found and nothing was drawn the mask stays empty.

Lengths and areas are in pixels of the picture, whatever size the model works at.

## Of a generation in a web UI

The accordion **LD-ZNet masks** has the rows above and these, and `alwayson_scripts` takes all of them by the same names
([api.md](api.md)).

"""
HEAD = """\
| name | in the panel | takes | default | command line | in a picture's parameters | meaning |
|---|---|---|---|---|---|---|
"""
GENERATION_HEAD = """\
| name | in the panel | takes | default | in a picture's parameters | meaning |
|---|---|---|---|---|---|
"""


PAINTING = """
## Of a painting

What `ldznet generate` and `ldznet edit`, the page of `ldznet serve` and the API's `generate` and `edit` take besides
([api.md](api.md)); `ldznet generate --help` lists what the command line has of it.

| name | takes | default | meaning |
|---|---|---|---|
"""


def takes(option: Option) -> str:
    """Which values there are, as the tables of the documentation say it."""
    if option.choices:
        return " or ".join(f"`{json.dumps(choice)}`" for choice in option.choices)
    if option.between:
        return f"{option.kind}, between {option.between[0]:g} and {option.between[1]:g}"
    ends = [end for end in (option.low, option.high) if end is not None and abs(end) < 1e6]
    return f"{option.kind}, {ends[0]:g} to {ends[1]:g}" if len(ends) == 2 else option.kind


def meaning(option: Option) -> str:
    """Its help, as a cell of a table."""
    return option.help.replace("|", "\\|")


def flag(option: Option) -> str:
    """How the command line takes it; the words are no flag."""
    name = option.name.replace("_", "-")
    if option.name == "words":
        return "WORDS"
    if option.kind == FLAG:
        return f"--no-{name}" if option.default else f"--{name}"
    value = "|".join(option.choices) or {CHOICE: "NAME", WHOLE: "N"}.get(option.kind, "X")
    return f"--{name} {value}".replace("|", "\\|")


def row(option: Option) -> str:
    """A setting of a mask, with all that it is called."""
    cells = (f"`{option.name}`", option.label, takes(option), f"`{json.dumps(option.default)}`", f"`{flag(option)}`")
    return f"| {' | '.join((*cells, f'`{option.infotext}`', meaning(option)))} |\n"


def generation_row(option: Option) -> str:
    """A setting of a generation, which no command has."""
    cells = (f"`{option.name}`", option.label, takes(option), f"`{json.dumps(option.default)}`", f"`{option.infotext}`")
    return f"| {' | '.join((*cells, meaning(option)))} |\n"


def painting_row(option: Option) -> str:
    """A setting of a painting."""
    return f"| `{option.name}` | {takes(option)} | `{json.dumps(option.default)}` | {meaning(option)} |\n"


def page() -> str:
    """The whole page."""
    of_a_mask = _joined(row(option) for option in OPTIONS)
    of_a_generation = _joined(generation_row(option) for option in (ENABLED, *GENERATION_OPTIONS))
    of_a_painting = _joined(painting_row(option) for option in PAINT_OPTIONS)
    return f"{FIRST}{HEAD}{of_a_mask}{ORDER}{GENERATION_HEAD}{of_a_generation}{PAINTING}{of_a_painting}"


def _joined(rows: Iterable[str]) -> str:
    return "".join(rows)


def main(arguments: list[str]) -> int:
    """Write the page, or with --check only compare: 1 where it is not what the tables say."""
    if "--check" in arguments:
        return int(PAGE.read_text("utf-8") != page())
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
