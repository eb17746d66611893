"""Write docs/performance.md and its plot out of docs/performance/*.json: `python tools/performance_page.py [--docs docs]`.

`benchmarks/real_speed.py --json docs/performance/cpu.json` and `benchmarks/gpu.py --out docs/performance` make these files.
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.performance_gpu import gpu_part

Found = Mapping[str, Any]
PLOT = "images/performance.webp"
FIRST = """\
# Performance

<!-- Written by tools/performance_page.py out of docs/performance/*.json; a change here is lost. -->

What a mask costs with a real Stable Diffusion 1.5 and the authors' LD-ZNet, next to the authors' own way of making it: the VAE's
encoder, the diffusion UNet from its first to its last layer, the head, all in float32. No real weights can be had where this is
built; the networks have their full size and random weights, drawn so that every signal stays near one. Time and memory do not
depend on what the weights are.

What is not spent: the UNet's pass **ends after the last feature** that the head reads, nearly half-way; a picture is **encoded
once**, whatever is asked about it; one that was just painted brings **its latent and its features**; what several phrases have in
common **before the words come in** is computed once for all; a pass over several phrases is one batch.

"""
CPU = """\
## On a CPU

{about}

`python benchmarks/real_speed.py --json docs/performance/cpu.json`, then `python tools/performance_page.py`.

{side}x{side}, one phrase, float32. Ours is the whole of `segment()`, from the picture to the mask in its pixels with refined
edges; the plain path is only the networks, computed as the authors do: attention in three steps, tensors as PyTorch lays them
out. "The same work on our layers" leaves nothing out either, but has our fused attention, our convolutions and the VAE's channels
last: against it only what is left out counts. What is compared ran in alternating rounds; times are medians of {runs}, ratios are
of medians by the clock on the wall, in parentheses by the processor's own time, which others on the machine disturb less. GFLOP
leave the text tower out.

| situation | GFLOP | seconds | over the plain path | over the same work on our layers | at most | |
|---|---:|---:|---:|---:|---:|---|
"""
MET = {True: "met", False: "**missed**"}
NAMES = {
    "plain": "plain path, as the authors'",
    "plain, our layers": "the same work on our layers",
    "uploaded": "uploaded picture",
    "uploaded, fast encoder": "uploaded picture, fast encoder",
    "another phrase": "another phrase on the same picture",
    "just generated": "picture just generated",
}
AFTER = """
The fast encoder is TAESD's: `--fast-encoder taesd_encoder` with `taesd_encoder.safetensors` in a model folder, a path, or a
diffusers folder (`load_backbone(fast_encoder=...)`). It reads the pictures that are looked at; painting and repainting keep the
VAE. Its weights are optional and do not ship, those for SDXL are others, and what it does to the quality of masks is **not
measured**: there are no weights of it here. Each of 8 phrases is compared with one phrase asked alone on the same picture.

![Times beside the plain path]({plot})

"""
HARVEST = """\
## Reading features while a picture is painted

{about}

Sticker-SD, {side}, {steps} steps with guidance, {pairs} pairs of paintings with and without, in turns: the median of their ratios
is **{ratio:.4f}**, its upper 95 % bound **{upper_95:.4f}** (the aim: 1.02, {met}); by the processor's own time
{processor_ratio:.4f} and {processor_upper_95:.4f}. What is kept for the taps of one picture: {kept} at SD 1.5's size in float32
(the aim: 20 MB); half of that in float16.

"""
STEPS = """\
## What each step gains on a CPU

{about}

The UNet's pass over one latent of 48x48 cells, as far as the head's last tap, without and with each step in alternating rounds.

| step | without, s | with, s | times as fast | by processor time | |
|---|---:|---:|---:|---:|---|
"""
KEPT = {
    "early exit": "built in",
    "fused attention": "built in",
    "convolutions of few cells as products": "built in, in float32",
    "what 4 phrases have in common, once": "built in; both are for 4 phrases",
    "channels_last": "not built in for the UNet, which is slower so; the VAE and the fast encoder, all convolutions, are faster",
    "bfloat16": "`--dtype bfloat16`, for processors that multiply in it",
    "bfloat16: attention in pieces": "built in; the same bits",
    "torch.compile, the finest transformer": "not built in: minutes of compiling for each size of picture",
    "keys and values of the text, kept": "not built in: too little, and 15 MB a phrase to keep",
}


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--docs", type=Path, default=Path(__file__).resolve().parent.parent / "docs")
    args = parser.parse_args()
    cpu, gpu = (read(args.docs / "performance" / f"{name}.json") for name in ("cpu", "gpu"))
    (args.docs / "performance.md").write_text("".join(page(cpu, gpu)), encoding="utf-8")
    if "table" in cpu:
        draw(args.docs / PLOT, cpu["table"]["found"])


def read(path: Path) -> Found:
    """What was measured; nothing where nothing was."""
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def page(cpu: Found, gpu: Found) -> Iterator[str]:
    """The page, part by part."""
    yield FIRST
    if "table" in cpu:
        yield from cpu_table(**cpu["table"])
    if "harvest" in cpu:
        yield harvest(**cpu["harvest"])
    if "steps" in cpu:
        compiled = cpu.get("compiled", {}).get("found", {})
        yield from steps(cpu["steps"]["about"], {**cpu["steps"]["found"], **compiled})
    yield from gpu_part(gpu)


def cpu_table(about: Found, found: Found, **_: object) -> Iterator[str]:
    """The situations, with their targets."""
    times, ratios, gflop = found["times"], found["ratios"], found["gflop"]
    yield CPU.format(about=machine(about), side=found["side"], runs=times["plain"]["runs"])
    for name, told in NAMES.items():
        ratio = ratios.get(name)
        shown = judged(ratio) if ratio else " | | | |"
        yield f"| {told} | {gflop[name.removesuffix(', our layers')]:,.0f} | {times[name]['median'] / 1000:.1f} | {shown}\n"
    each = "each of 8 phrases"
    yield f"| {each} | {gflop['8 phrases'] / 8:,.0f} | {times['8 phrases']['median'] / 8000:.1f} | {judged(ratios[each])}\n"
    yield AFTER.format(plot=PLOT)


def judged(ratio: Found) -> str:
    """The cells of a ratio: it is the wall's over the plain path that has to meet its target."""
    met, same = MET[ratio["wall"] <= ratio["target"]], ratio.get("same work")
    ours = f"{same['wall']:.3f} ({same['processor']:.3f})" if same else ""
    return f"{ratio['wall']:.3f} ({ratio['processor']:.3f}) | {ours} | {ratio['target']:.2f} | {met} |"


def harvest(about: Found, found: Found, **_: object) -> str:
    """What reading costs a painting."""
    kept = ", ".join(f"{value:.1f} MB at {side}x{side}" for side, value in found["kept_mb_sd15"].items())
    told = {"about": machine(about), "side": "x".join(map(str, found["side"])), "kept": kept}
    return HARVEST.format(**{**found, **told}, met=MET[found["upper_95"] <= 1.02])


def steps(about: Found, found: Found) -> Iterator[str]:
    """Each way of computing the same."""
    yield STEPS.format(about=machine(about))
    for name, row in found.items():
        before, after = (row[key]["median"] / 1000 if key in row else None for key in ("without", "with"))
        cells = f"{before:.2f} | {after:.2f}" if before and after else " | "
        processor = row.get("gain of processor time")
        yield f"| {name} | {cells} | {row['gain']:.2f} | {f'{processor:.2f}' if processor else ''} | {KEPT.get(name, '')} |\n"
    yield "\n"


def machine(about: Found) -> str:
    """The machine in words."""
    threads = f"{about['threads']} thread{'s' * (about['threads'] > 1)}"
    told = f"{about['date']}, {about['processor']}, {threads} of {about['cores']} cores, torch {about['torch']}"
    return "\n".join(textwrap.wrap(f"{told}. {about['note']}" if "note" in about else f"{told}.", 130))


def draw(path: Path, found: Found) -> None:
    """Bars of the times over the plain path's, with their targets."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    rows = [(NAMES[name], ratio) for name, ratio in found["ratios"].items() if name in NAMES]
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    axes.barh(places, [ratio["wall"] for _, ratio in rows], color="#0072B2", height=0.55)
    for place, (_, ratio) in zip(places, rows, strict=True):
        axes.plot([ratio["target"]] * 2, [place - 0.4, place + 0.4], color="#D55E00", linewidth=2)
        axes.text(0.01, place, f"{ratio['wall']:.2f}", color="white", va="center")
    axes.axvline(1, color="#555555", linewidth=1)
    axes.set_yticks(places, [name for name, _ in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.05)
    axes.set_xlabel("time over the plain path's (the line at 1); orange: the aim")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(path, quality=90)


if __name__ == "__main__":
    main()
