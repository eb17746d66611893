"""The part of docs/performance.md about a GPU, out of what benchmarks/gpu.py found."""

from collections.abc import Iterator, Mapping
from typing import Any

Found = Mapping[str, Any]
NONE = """\
## On a GPU

**Not run**: `python benchmarks/gpu.py --out docs/performance` measures it where there is one, in two and a half minutes.
"""
SITUATIONS = {
    "plain": "plain path, as the authors'",
    "uploaded": "uploaded picture",
    "uploaded, fast encoder": "uploaded picture, fast encoder",
    "another phrase": "another phrase on the same picture",
    "just generated": "picture just generated",
    "8 phrases": "8 phrases in a batch, all of them",
    "UNet step": "one step of the UNet, one row",
    "UNet step, 2 rows": "one step of the UNet with guidance",
}
KINDS = ("float32", "float16", "bfloat16")


def gpu_part(found: Found) -> Iterator[str]:
    """All tables, or that there are none."""
    if not found:
        yield NONE
        return
    about = _of(found, "about")
    yield (
        f"## On a GPU\n\n{about['date']}, {about.get('name', about['device'])}, torch {about['torch']}, CUDA "
        f"{about.get('cuda')}. `python benchmarks/gpu.py --out docs/performance`.\n\n"
    )
    yield from precision(found)
    for side in (384, 512):
        yield from times(found, side)
    yield from memory(found)
    yield from errors(found)
    for side in (384, 512):
        yield from steps(found, side)
    yield from rest(found)


def precision(found: Found) -> Iterator[str]:
    """Sticker-SD's masks in each type."""
    rows = {name: _of(found, f"precision {name}") for name in (*KINDS, "float32 on the CPU")}
    rows = {name: row for name, row in rows.items() if "miou" in row}
    if not rows:
        return
    yield "**Sticker-SD's masks of the test set**, against those in float32 on the GPU; points of IoU (the aim: within 0.5):\n\n"
    yield "| type | phrases | mIoU | difference | largest of one mask | agreement, IoU |\n|---|---:|---:|---:|---:|---:|\n"
    for name, row in rows.items():
        yield (
            f"| {name} | {row['phrases']} | {row['miou']:.2f} | {row['miou_minus_reference']:+.3f} | "
            f"{row['largest_difference_of_one_iou']:.2f} | {row['agreement_mean']:.5f} |\n"
        )
    yield "\n"


def times(found: Found, side: int) -> Iterator[str]:
    """Milliseconds of the situations, and against one step of the UNet."""
    columns: dict[str, Found] = {}
    for name in KINDS:
        row = _of(found, f"time {name} {side}")
        if "milliseconds" in row:
            columns[name] = row["milliseconds"]
        if "milliseconds, TF32" in row:
            columns["float32, TF32"] = row["milliseconds, TF32"]
    if not columns:
        return
    half = columns.get("float16")
    yield f"**{side}x{side}**, milliseconds (medians, from event to event on the GPU; the networks alone, eager):\n\n"
    yield f"| situation | {' | '.join(columns)} | over one step, float16 |\n|---|{'---:|' * (len(columns) + 1)}\n"
    for key, told in SITUATIONS.items():
        cells = " | ".join(f"{column[key]['median']:.2f}" for column in columns.values())
        over = f"{half[key]['median'] / half['UNet step']['median']:.2f}" if half else ""
        yield f"| {told} | {cells} | {over} |\n"
    yield "\n"


def memory(found: Found) -> Iterator[str]:
    """Activations at their peak."""
    columns = {
        f"{side}, {name}": row for side in (384, 512) for name in KINDS if (row := _of(found, f"memory {name} {side}"))
    }
    columns = {name: row for name, row in columns.items() if "plain" in row}
    if not columns:
        return
    weights = _of(found, "networks").get("weights_mb_float16", {})
    told = ", ".join(f"{name} {value:,.0f}" for name, value in weights.items())
    yield f"**Memory**, MB at the peak above the weights (float16: {told} MB), by torch's allocator:\n\n"
    yield f"| situation | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}\n"
    for key, name in SITUATIONS.items():
        yield f"| {name} | {' | '.join(f'{row[key]:.0f}' for row in columns.values())} |\n"
    yield "\n"


def errors(found: Found) -> Iterator[str]:
    """Half precision on full-size random weights."""
    columns = {
        f"{name}, {side}": row
        for name in KINDS[1:]
        for side in (384, 512)
        if "head" in (row := _of(found, f"error {name} {side}"))
    }
    if not columns:
        return
    yield "**Errors of half precision** on full-size random weights: distance from float32 over its spread:\n\n"
    yield f"| what | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}\n"
    for key in ("VAE encoder", "UNet step", "feature out.5", "head", "whole walk", "pixels that change sides, %"):
        yield f"| {key} | {' | '.join(f'{row[key]:.4f}' for row in columns.values())} |\n"
    yield "\n"


def steps(found: Found, side: int) -> Iterator[str]:
    """The ladder, and kernels of attention."""
    ladder = {name: row for name, row in _of(found, f"steps {side}").items() if "median" in row}
    if ladder:
        first = ladder["plain, float32"]["median"]
        yield f"**Each step's gain**, {side}x{side}, an uploaded picture and one phrase in float16 unless it says another:\n\n"
        yield "| what is done | ms | times as fast as plain float32 | error |\n|---|---:|---:|---:|\n"
        for name, row in ladder.items():
            gain = f"{first / row['median']:.1f}" if "early exit" in name or "plain" in name else ""
            yield f"| {name} | {row['median']:.2f} | {gain} | {_number(row.get('error'))} |\n"
        yield "\n"
    kernels = {name: row for name, row in _of(found, f"attention {side}").items() if isinstance(row, dict)}
    if kernels:
        listed = ", ".join(f"{name} {row['median']:.2f}" for name, row in kernels.items() if "median" in row)
        yield f"Kernels of attention, the head alone at {side}x{side}, ms: {listed}.\n\n"


def rest(found: Found) -> Iterator[str]:
    """`segment()` as a whole, harvesting, torch.compile."""
    whole = _of(found, "segment() 384")
    if "uploaded" in whole:
        listed = ", ".join(f"{name} {row['median']:.1f}" for name, row in whole.items() if "median" in row)
        yield f"The whole of `segment()` in float16 at 384x384, its work on the CPU among it, ms: {listed}.\n\n"
    harvest = _of(found, "harvest 512")
    if "ratio" in harvest:
        yield (
            f"Harvesting in {harvest['steps']} steps at 512x512, {harvest['pairs']} alternating pairs: median ratio "
            f"**{harvest['ratio']:.4f}**, upper 95 % bound **{harvest['upper_95']:.4f}**; {harvest['kept_mb']} MB kept.\n\n"
        )
    for side in (512, 384):
        for name, row in _of(found, f"compiled {side}").items():
            if isinstance(row, dict) and "compiled" in row:
                graph = f", {row['compiled, graph']['median']:.2f} in a graph" if "compiled, graph" in row else ""
                yield (
                    f"`torch.compile`, {name} at {side}x{side}: {row['eager']['median']:.2f} ms eager, "
                    f"{row['compiled']['median']:.2f} compiled{graph}; compiling took {row['compiling_seconds']} s.\n\n"
                )


def _of(found: Found, block: str) -> Found:
    """What a block found; nothing where it failed or was not reached."""
    result = found.get(block, {}).get("found", {})
    return result if isinstance(result, dict) else {}


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else ""
