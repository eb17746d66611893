"""Measure the scores of a method without a head on the shipped Sticker-SD, and write them beside it.

    python tools/calibrate.py attention --scenes 96

To be run again whenever the model or the method's settings change: models/METHOD-sticker.json is of one state of both, and says
by digests of its weights of which.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def main() -> int:
    """Fit, write, and say what came out."""
    from ldznet_ext.backbone import load_backbone
    from ldznet_ext.segmenters.methods import pick_segmenter
    from ldznet_ext.train.scoring import fit_scoring

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("method")
    parser.add_argument("--scenes", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="by default models/METHOD-FAMILY.json")
    args = parser.parse_args()
    backbone = load_backbone()
    method = pick_segmenter(args.method, backbone)
    scoring = fit_scoring(method, backbone, scenes=args.scenes, seed=args.seed)
    out = args.out or ROOT / "models" / f"{args.method}-{backbone.family}.json"
    measured = {"scenes": args.scenes, "seed": args.seed, "weights": digests(ROOT / "models" / "sticker-sd")}
    out.write_text(json.dumps({**scoring.to_dict(), "measured": measured}, indent=1) + "\n", "utf-8")
    print(f"{out}: found at {scoring.found_threshold:.3f}, mask at {scoring.mask_threshold:.2f}")
    return 0


def digests(model: Path) -> dict[str, str]:
    """SHA-256 of every file of weights of a model folder, by its path in it."""
    from ldznet_ext.weights import sha256_of

    return {path.relative_to(model).as_posix(): sha256_of(path) for path in sorted(model.glob("*/*.safetensors"))}


if __name__ == "__main__":
    raise SystemExit(main())
