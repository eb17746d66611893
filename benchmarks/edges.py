"""How good edges are: `python benchmarks/edges.py [--json] [--docs docs] [--model NAME] [--found FILE]`.

Soft alpha and the colours of cut-outs, on composites whose alpha is known; the gain of edge refinement, on the maps of the
shipped model and on degraded true ones; and what each costs. `--docs` writes edges.md and its pictures. The art must be
fetched: `ldznet world fetch`, and once more with `--style photo`.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.edge_cases import Case, cases
from benchmarks.edge_page import tables, write_page
from benchmarks.edge_scores import Row, alpha_rows, cost_rows, halo_rows, refinement_rows
from ldznet_ext.errors import DataError


def main() -> None:
    """Measure, print, and write the page where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", help="a model in place of Sticker-SD, whose maps are refined")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--found", type=Path, help="what --json printed before, in place of measuring")
    parser.add_argument("--docs", type=Path, help="a folder to write edges.md and images/edges into")
    args = parser.parse_args()
    try:
        drawn = list(cases())
    except DataError as missing:
        print(f"Edges were not measured: {missing}")
        return
    found = json.loads(args.found.read_text(encoding="utf-8")) if args.found else measure(drawn, args.model)
    if args.docs:
        write_page(args.docs, found, drawn)
    print(json.dumps(found, indent=1) if args.json else tables(found))


def measure(drawn: list[Case], model: str | None) -> dict[str, list[Row]]:
    """All tables; a minute or two of one core."""
    return {
        "alpha": list(alpha_rows(drawn)),
        "halo": list(halo_rows(drawn)),
        "refinement": list(refinement_rows(model)),
        "cost": list(cost_rows(drawn[0])),
    }


if __name__ == "__main__":
    main()
