"""MaskDiffusion's ablations on Sticker World's validation scenes: a line a variant.

python tools/ablate_maskdiffusion.py --scenes 32 [--model PATH]
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def main() -> int:
    """Score every variant and print it as soon as it is known."""
    from ldznet_ext.backbone import load_backbone
    from ldznet_ext.eval.classes import scenes
    from ldznet_ext.eval.maskdiffusion import ablate

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scenes", type=int, default=32)
    parser.add_argument("--model")
    args = parser.parse_args()
    for name, scores in ablate(load_backbone(args.model), list(scenes("val", limit=args.scenes))):
        print(f"{name:32s}  {scores['miou']:.3f}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
