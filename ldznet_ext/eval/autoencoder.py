"""How well the autoencoder gives held-out scenes back: PSNR at the native size, mean over pictures."""

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from ldznet_ext.eval.cells import write_json
from ldznet_ext.eval.metrics import bootstrap
from ldznet_ext.eval.run import Progress
from ldznet_ext.eval.toolbox import Reconstruct

SCENES = 64
SEED = 0


def psnr(picture: np.ndarray, other: np.ndarray) -> float:
    """Peak signal to noise ratio of two uint8 pictures of one shape, dB; 100 where they are equal."""
    error = float(np.mean((picture.astype(np.float64) - other.astype(np.float64)) ** 2))
    return min(100.0, 10 * np.log10(255.0**2 / error)) if error else 100.0


def judge_autoencoder(
    reconstruct: Reconstruct, *, scenes: int = SCENES, size: int = 256, progress: Progress | None = None
) -> dict[str, object]:
    """Mean PSNR over `scenes` scenes of the test split, all training styles, known objects; dB, with its interval."""
    from ldznet_ext.world.scenes import scene

    values: list[float] = []
    for index in range(scenes):
        picture = scene(SEED, index, split="test", concepts="known", size=size).picture
        values.append(psnr(picture, reconstruct(picture)))
        if progress is not None:
            progress(index + 1, scenes)
    interval = list(bootstrap(values, range(scenes)))
    return {"psnr": float(np.mean(values)), "interval": interval, "worst": min(values), "scenes": scenes, "size": size}


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m ldznet_ext.eval.autoencoder --scenes N -o DIR --json`."""
    from ldznet_ext.eval import commands

    parser = commands.parser("PSNR of the autoencoder on test scenes.", "autoencoder", judged=False)
    parser.add_argument("--scenes", type=int, default=SCENES, help=f"how many (default: {SCENES})")
    return commands.run(parser.parse_args(argv), _measure, _words)


def _measure(args, progress: Progress) -> dict[str, object]:
    from ldznet_ext.eval import commands
    from ldznet_ext.eval.tools import open_backbone, reconstruct_with

    scenes = commands.at_least_one(args.scenes, "scenes") or SCENES
    backbone, mark = open_backbone(args.model, args.device)
    answer = judge_autoencoder(reconstruct_with(backbone), scenes=scenes, progress=progress)
    write_json(args.out / "autoencoder.json", {"model": mark, **answer})
    return answer


def _words(answer: Mapping[str, object]) -> str:
    low, high = answer["interval"]
    return (
        f"{answer['psnr']:.2f} dB PSNR ({low:.2f} to {high:.2f}) over {answer['scenes']} test scenes, "
        f"{answer['worst']:.2f} dB on the worst."
    )


if __name__ == "__main__":
    sys.exit(main())
