"""Which transformers and timesteps of a model know where a word is, on val scenes of Sticker World: a table.

    python tools/probe.py --scenes 24 --timesteps 1,10,100,300,500 --values softmax,raw

`ground`: an object's cells against those without objects; `things`: against those of other objects. 0.50 is chance.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main() -> int:
    """Print one line a transformer and timestep, best first."""
    from ldznet_ext.backbone import load_backbone
    from ldznet_ext.eval.probe import probe, val_cases
    from ldznet_ext.segmenters.settings import ATTENTION, for_family

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", help="by default the shipped Sticker-SD")
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--timesteps", default="1,10,100,300,500")
    parser.add_argument("--values", default="softmax")
    parser.add_argument("--context", default="", help="what the UNet reads in the pass")
    args = parser.parse_args()
    backbone = load_backbone(args.model)
    cases = val_cases(backbone, args.scenes, ("fluent", "noto", "flat", "twemoji"))
    template = for_family(ATTENTION, backbone.family).template
    times, values = [int(t) for t in args.timesteps.split(",")], tuple(args.values.split(","))
    found = list(probe(backbone, cases, times, template=template, values=values, context=args.context))
    for each in sorted(found, key=lambda each: -(each.things or 0)):
        print(
            f"{each.place:>7}  stride {each.stride}  t {each.timestep:>3}  {each.values:<7}  "
            f"ground {each.ground or 0:.2f}  things {each.things or 0:.2f}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
