"""`ldznet train autoencoder|text|diffusion|names|head|classifier`: read a recipe, choose the task, run the loop."""

import argparse
from dataclasses import replace
from pathlib import Path

KINDS = ("autoencoder", "text", "diffusion", "names", "head", "classifier")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options (standard library only, so that --help is quick)."""
    parser.add_argument("kind", choices=KINDS, help="which network")
    parser.add_argument("--recipe", help="a .toml file or a shipped recipe's name (default: the kind's own)")
    parser.add_argument(
        "-o", "--out", default=None, help="folder for checkpoint, log and result (default: runs/<recipe>)"
    )
    parser.add_argument("--minutes", type=float, help="another budget: minutes, all runs together")
    parser.add_argument("--steps", type=int, help="another budget: steps")
    parser.add_argument("--precision", choices=("no", "bf16", "fp16"), help="instead of the recipe's")
    parser.add_argument("--workers", type=int, help="data loading processes")
    parser.add_argument("--batch-scale", type=float, default=1.0, help="multiply every phase's batch (for a GPU)")
    parser.add_argument("--start", help="weights to start from, instead of the recipe's")
    parser.add_argument("--fresh", action="store_true", help="ignore a checkpoint in the out folder")
    parser.add_argument("--device", choices=("cpu",), help="train on the CPU even if there is a GPU")


def run(args: argparse.Namespace) -> int:
    """Train as told; returns the exit code."""
    from accelerate import PartialState

    from ldznet_ext.train.loop import train
    from ldznet_ext.train.recipe import load_recipe

    recipe = load_recipe(args.recipe or args.kind)
    recipe = recipe.with_budget(minutes=args.minutes, steps=args.steps)
    given = {k: v for k in ("precision", "workers", "start") if (v := getattr(args, k)) is not None}
    phases = tuple(replace(phase, batch=max(1, round(phase.batch * args.batch_scale))) for phase in recipe.phases)
    recipe = replace(recipe, phases=phases, **given)
    out = Path(args.out or Path("runs") / Path(args.recipe or args.kind).stem)
    with PartialState(cpu=args.device == "cpu").main_process_first():  # tasks write files while they are built
        task = build_task(recipe)
    train(task, recipe, out, resume=not args.fresh, device=args.device)
    return 0


def build_task(recipe):
    """The task of a recipe's kind."""
    if recipe.kind == "autoencoder":
        from ldznet_ext.train.autoencoder import AutoencoderTask as Task
    elif recipe.kind == "text":
        from ldznet_ext.train.text import TextTask as Task
    elif recipe.kind == "diffusion":
        from ldznet_ext.train.diffusion import DiffusionTask as Task
    elif recipe.kind == "names":
        from ldznet_ext.train.names import NamesTask as Task
    elif recipe.kind == "classifier":
        from ldznet_ext.train.classifier import ClassifierTask as Task
    else:
        from ldznet_ext.train.head import HeadTask as Task
    return Task(recipe)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    raise SystemExit(run(parser.parse_args()))
