"""`ldznet doctor`: what is installed, what works, what is missing and how to get it.

It needs the standard library alone, so that it can answer where nothing else can.
"""

import argparse
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ldznet_ext import __version__, bootstrap
from ldznet_ext.cli import console
from ldznet_ext.weights import find_heads, find_model, model_folders

NEEDED = {
    "torch": "torch", "numpy": "numpy", "safetensors": "safetensors", "einops": "einops",
    "opencv-python-headless": "cv2", "scipy": "scipy", "scikit-image": "skimage", "pillow": "PIL", "tqdm": "tqdm", "lark": "lark",
    "diffusers": "diffusers", "transformers": "transformers",
}  # fmt: skip
"""Distribution -> module, of the dependencies in pyproject.toml."""
FURTHER = {
    "gradio": "gradio", "fastapi": "fastapi", "uvicorn": "uvicorn",
    "accelerate": "accelerate", "tensorboard": "tensorboard", "matplotlib": "matplotlib", "resvg_py": "resvg_py",
    "pytest": "pytest", "ruff": "ruff", "pyright": "pyright", "import-linter": "importlinter",
}  # fmt: skip
"""The same for the extras."""
STYLES = ("fluent", "noto", "flat", "twemoji", "emojione", "photo")
GET_PACKAGES = "run `make demo` or `python -m ldznet_ext demo` once"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def run(args: argparse.Namespace) -> int:
    """Print the report; 0 where masks, pictures and edits work, else 1."""
    report = examine()
    console.tell(json.dumps(report, indent=2) if args.json else "\n".join(lines(report)))
    return 0 if all(report["works"][name]["ok"] for name in ("mask", "generate", "edit")) else 1


def examine() -> dict[str, Any]:
    """All facts, ready for JSON."""
    packages = {name: _package(name, module) for name, module in {**NEEDED, **FURTHER}.items()}
    torch = _torch() if packages["torch"] else None
    models, art = _models(), _art()
    return {
        "version": __version__,
        "checkout": str(bootstrap.CHECKOUT),
        "python": {"version": platform.python_version(), "executable": sys.executable, "system": platform.platform()},
        "cores": os.cpu_count(),
        "environment": {"folder": str(bootstrap.VENV.folder), "ready": bootstrap.ready(), "used": _inside()},
        "torch": torch,
        "packages": packages,
        "models": models,
        "art": art,
        "works": _works(packages, torch, models, art),
    }


def lines(report: Mapping[str, Any]) -> list[str]:
    """The report as text."""
    python, environment, torch = report["python"], report["environment"], report["torch"]
    state = "in use" if environment["used"] else "ready" if environment["ready"] else "not made yet"
    return [
        f"ldznet {report['version']} in {report['checkout']}",
        f"Python {python['version']} ({python['executable']}), {report['cores']} cores, {python['system']}",
        f".venv: {state}",
        _torch_line(torch),
        "",
        "Packages",
        *(f"  {name:<24}{found or '-'}" for name, found in report["packages"].items()),
        "",
        "Models",
        *(f"  {folder['folder']}: {_contents(folder)}" for folder in report["models"]["folders"]),
        "",
        f"Art for Sticker World: {', '.join(report['art']['styles']) or 'none'} ({report['art']['folder']})",
        "",
        "What works",
        *(
            f"  {'yes' if answer['ok'] else 'no ':<4}{name:<10}{'' if answer['ok'] else answer['why']}"
            for name, answer in report["works"].items()
        ),
    ]


def _package(name: str, module: str) -> str | None:
    """A package's version; "?" where it can be imported but was not installed by pip; None where it is missing."""
    if importlib.util.find_spec(module) is None:
        return None
    try:
        return version(name)
    except PackageNotFoundError:
        # another build of it, as opencv-python where the headless one was expected
        return str(getattr(importlib.import_module(module), "__version__", "?"))


def _inside() -> bool:
    return Path(sys.prefix).resolve() == bootstrap.VENV.folder.resolve()


def _torch() -> dict[str, Any]:
    """Version, build, threads and device; `error` where torch is there but broken."""
    try:
        import torch

        accelerator = torch.accelerator.current_accelerator() if hasattr(torch, "accelerator") else None
        device = str(accelerator) if accelerator is not None and torch.accelerator.is_available() else "cpu"
    except Exception as error:  # a broken build raises anything from OSError to RuntimeError
        return {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
    build = torch.__version__.partition("+")[2] or "the index's"
    threads = {"threads": torch.get_num_threads(), "interop_threads": torch.get_num_interop_threads()}
    return {"version": torch.__version__, "build": build, "device": device, **threads, "file": torch.__file__}


def _torch_line(torch: Mapping[str, Any] | None) -> str:
    if torch is None:
        return "torch: missing"
    if "error" in torch:
        return f"torch: cannot be imported ({torch['error']})"
    return f"torch {torch['version']} ({torch['build']} build), device {torch['device']}, {torch['threads']} threads"


def _models() -> dict[str, Any]:
    """The model folders in the order they are searched, and what is found in each."""
    try:
        heads = [_head(path, info) for path, info in find_heads()]
    except ImportError:  # numpy is missing, which is said anyway
        heads = []
    folders = []
    for folder in model_folders():
        names = sorted(path.parent.name for path in folder.glob("*/unet")) if folder.is_dir() else []
        here = [head for head in heads if Path(head["file"]).parent == folder]
        folders.append({"folder": str(folder), "exists": folder.is_dir(), "models": names, "heads": here})
    sticker = find_model("sticker-sd")
    return {"folders": folders, "default": str(sticker) if sticker else None}


def _head(path: Path, info: Any) -> dict[str, Any]:
    megabytes = round(path.stat().st_size / 1e6, 1)
    return {"file": str(path), "kind": info.kind, "family": info.family, "mb": megabytes, "recipe": info.recipe}


def _contents(folder: Mapping[str, Any]) -> str:
    if not folder["exists"]:
        return "not there"
    heads = [
        f"{Path(head['file']).name} ({head['kind']} for {head['family']}, {head['mb']} MB)" for head in folder["heads"]
    ]
    return ", ".join([*folder["models"], *heads]) or "empty"


def _art() -> dict[str, Any]:
    """Where `ldznet world fetch` puts art, and the styles that are there."""
    try:
        from ldznet_ext.world.art import art_path

        folder = art_path()
    except ImportError:  # numpy is missing
        return {"folder": None, "styles": []}
    if folder.suffix == ".npz":
        return {"folder": str(folder), "styles": ["one pack"] if folder.is_file() else []}
    return {"folder": str(folder), "styles": [style for style in STYLES if (folder / f"{style}.npz").is_file()]}


def _works(
    packages: Mapping[str, str | None],
    torch: Mapping[str, Any] | None,
    models: Mapping[str, Any],
    art: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """Each task: whether it works here, and if not why and what to do."""
    base = _lacking(packages, NEEDED)
    if not base and torch and "error" in torch:
        base = f"torch cannot be imported ({torch['error']}); name another with TORCH= and {GET_PACKAGES}"
    model = base or ("" if models["default"] else f"no sticker-sd in {_places(models)}; restore models/ or use --model")
    kinds = {head["kind"] for folder in models["folders"] for head in folder["heads"]}
    head = model or ("" if kinds else f"no head (.safetensors) in {_places(models)}; restore models/ or train one")
    app = head or _lacking(packages, ("gradio", "fastapi", "uvicorn"), "run `make app`")
    train = base or _lacking(packages, ("accelerate", "tensorboard"), "`pip install accelerate tensorboard`")
    fetched = "" if art["styles"] else "no art; run `ldznet world fetch`"
    tests = base or _lacking(packages, ("pytest", "accelerate", "matplotlib"), "run `make test`")
    checks = tests or _lacking(packages, ("ruff", "pyright", "import-linter"), "run `make check`")
    reasons = {
        "mask": head, "generate": model, "edit": head, "app": app, "world": base or fetched, "train": train or fetched,
        "tests": tests, "checks": checks,
    }  # fmt: skip
    return {name: {"ok": not why, "why": why} for name, why in reasons.items()}


def _lacking(packages: Mapping[str, str | None], names: Any, remedy: str = GET_PACKAGES) -> str:
    missing = [name for name in names if packages[name] is None]
    named = ", ".join(missing) if len(missing) < 4 else f"{len(missing)} packages"
    return f"{named} missing; {remedy}" if missing else ""


def _places(models: Mapping[str, Any]) -> str:
    return ", ".join(folder["folder"] for folder in models["folders"])
