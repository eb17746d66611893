"""Options that several commands share, and how their values are read."""

import argparse
from typing import TYPE_CHECKING, Any

from ldznet_ext.cli import console
from ldznet_ext.request import FLAG, NUMBER, OPTION, WHOLE, Option
from ldznet_ext.sampling import DEFAULT_STEPS

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

DTYPES = ("float32", "float16", "bfloat16")


def whole(text: str) -> int:
    """A whole number, or a complaint that names the text."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number; expected one such as 1") from None


def number(text: str) -> float:
    """A number, or a complaint that names the text; ranges (and NaN) are checked where they are known."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number; expected one such as 0.5") from None


def add_setting(parser: argparse._ActionsContainer, option: Option) -> None:
    """The flag of a row of the table of options: --grow N, --invert, --no-refine."""
    flag = option.name.replace("_", "-")
    if option.kind == FLAG and option.default:
        parser.add_argument(f"--no-{flag}", dest=option.name, action="store_false", help=f"do not {option.help}")
    elif option.kind == FLAG:
        parser.add_argument(f"--{flag}", dest=option.name, action="store_true", help=option.help)
    else:
        kind, sign = {WHOLE: (whole, "N"), NUMBER: (number, "X")}.get(option.kind, (str, "NAME"))
        more: dict[str, Any] = {"choices": option.choices} if option.choices else {"type": kind, "metavar": sign}
        parser.add_argument(
            f"--{flag}", dest=option.name, action=_Said, default=option.default, help=option.help, **more
        )


class _Said(argparse.Action):
    """Stores a value, and that it was said: where a recipe is repeated, the default that is said replaces the recipe's."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, values)
        namespace.said = (*said(namespace), self.dest)


def said(args: argparse.Namespace) -> tuple[str, ...]:
    """The names of the settings that a call gives a value, be it the default."""
    return getattr(args, "said", ())


def add_model(parser: argparse._ActionsContainer) -> None:
    """Which method and model, and where it computes."""
    add_setting(parser, OPTION["method"])
    add_backbone(parser)


def add_backbone(parser: argparse._ActionsContainer) -> None:
    """Which model, and where it computes."""
    parser.add_argument(
        "--model", help="diffusers folder, .safetensors file, name in a model folder or hub id (default: sticker-sd)"
    )
    parser.add_argument("--device", help="where to compute, e.g. cpu (default: an accelerator if there is one)")
    parser.add_argument("--dtype", choices=DTYPES, help="number format (default: float32 on the CPU, else float16)")
    parser.add_argument(
        "--offload",
        action="store_true",
        help="keep the trained head in main memory, and on the device only while asked",
    )
    parser.add_argument(
        "--fast-encoder", metavar="FILE", help="TAESD's encoder, to look at pictures with in place of the model's own"
    )

    parser.add_argument(
        "--lora",
        action="append",
        type=weighted,
        metavar="FILE[:X]",
        help="a LoRA by file or name, and its weight; repeatable",
    )
    parser.add_argument(
        "--embedding", action="append", metavar="FILE", help="a learned word by file or name; repeatable"
    )
    parser.add_argument(
        "--prediction", metavar="KIND", help="epsilon or v_prediction, where the model's files say it wrong"
    )


def weighted(text: str) -> tuple[str, float]:
    """A file or a name, and after the last colon its weight; 1 where there is none.

    >>> weighted("style"), weighted("C:/loras/style.safetensors:0.5")
    (('style', 1.0), ('C:/loras/style.safetensors', 0.5))
    """
    name, colon, weight = text.rpartition(":")
    try:
        return (name, float(weight)) if colon else (text, 1.0)
    except ValueError:
        return text, 1.0  # a colon of the name: C:/loras/style.safetensors


def loading(args: argparse.Namespace) -> dict[str, Any]:
    """What the options say of how to load the model, as `load_backbone` takes it; what they leave out is not in it."""
    given = {
        "device": args.device,
        "dtype": args.dtype,
        "fast_encoder": args.fast_encoder,
        "lora": dict(args.lora or ()) or None,
        "embeddings": args.embedding,
        "prediction": args.prediction,
        "offload": args.offload,
    }
    return {name: value for name, value in given.items() if value is not None}


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """How to paint."""
    parser.add_argument("--seed", type=whole, default=0, help="another number, another picture (default: 0)")
    parser.add_argument(
        "--steps", type=whole, default=DEFAULT_STEPS, help=f"sampling steps, 1-1000 (default: {DEFAULT_STEPS})"
    )


def add_output(
    parser: argparse._ActionsContainer, *, folder: bool = True, default: str | None = ".", told: str = "this one"
) -> None:
    """Where the files go, and in which form the answer is printed. told: what the default is, in words."""
    if folder:
        parser.add_argument(
            "-o",
            "--out",
            metavar="DIR",
            default=default,
            help=f"folder for the files, made if needed (default: {told})",
        )
    parser.add_argument("--json", action="store_true", help="print one JSON object; all else goes to standard error")


def say_cut(prompt: str, backbone: "Backbone") -> None:
    """Say, on standard error, that a prompt is longer than the text encoder reads; what fits is painted."""
    over = backbone.overflow(prompt)
    if over:
        console.say(
            f"The prompt is {over} token{'s' * (over > 1)} too long for the text encoder of {backbone.name}; only the first 75 "
            "are read, so shorten it if the rest matters."
        )
