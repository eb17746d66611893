"""The page's sections about the model itself and about edits by words, from their numbers alone."""

from collections.abc import Iterator, Mapping

from ldznet_ext.eval.autoencoder import SEED as SCENES_SEED
from ldznet_ext.eval.generation import SETTINGS
from ldznet_ext.eval.parts import EDITS, SHEET

PSNR, FOUND, RIGHT, ACCURACY = 30.0, 0.80, 0.75, 0.95
"""To reach: dB, and fractions."""

Own = Mapping[str, Mapping[str, object]]


def model_lines(own: Own, plots: str, *, sheet: bool) -> Iterator[str]:
    """Autoencoder and generation."""
    yield from ("## The model itself", "", "| | to reach | measured | 95 % interval | |", "|---|---|---|---|---|")
    vae, painted = own.get("autoencoder", {}), own.get("generation", {})
    yield _row("autoencoder, PSNR on test scenes, dB", f"{PSNR:.0f}", vae, "psnr", PSNR, digits=2)
    yield _row("named object is the classifier's strongest answer", f"{FOUND:.2f}", painted, "found", FOUND)
    yield _row("... among its three strongest", "-", painted, "top3", None)
    judged = {**painted, "interval": None}
    yield _row("classifier, objects of test scenes named right", f"{ACCURACY:.2f}", judged, "judge_accuracy", ACCURACY)
    yield ""
    yield from _reasons(("autoencoder", vae), ("generation", painted))
    if "psnr" in vae:
        yield (
            f"Autoencoder: {vae['scenes']} scenes of the test split (seed {SCENES_SEED}), {vae['size']}x{vae['size']}, all "
            f"training styles; the worst {vae['worst']:.2f} dB."
        )
    if "found" in painted:
        quoted = ", ".join(f"“{words.format('a fox')}”" for words in SETTINGS)
        yield (
            f"Generation: {painted['objects']} objects x {painted['seeds']} seeds, 20 DDIM steps, guidance 5; the prompts go "
            f"round {quoted}. The classifier was trained on scenes alone, knows 84 objects and answers with one of them. "
            "The interval resamples objects."
        )
        yield from ("", _worst(painted["by_object"]))
    yield ""
    if sheet:
        yield from (
            "One picture an object, picked by number:",
            "",
            f"![Every named object, painted]({plots}/{SHEET})",
            "",
        )


def editing_lines(own: Own, plots: str, *, sheet: bool) -> Iterator[str]:
    """Edits by words, beside the ceiling and the floor."""
    made, scenes = own.get("editing", {}), own.get("editing_scenes", {})
    yield from ("## Words to edit", "")
    yield (
        "“Mask A, repaint as B”: an edit is right when the classifier sees B and no A (each a yes or no of its own). "
        "Words that are not found count as wrong. Generated pictures have no exact mask, so the ceiling and the floor are "
        "measured on test scenes, where other objects stand around."
    )
    yield from (
        "",
        "| pictures | mask | n | right | 95 % interval | found | B seen | no A | B strongest | A seen before |",
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for title, part in (("generated", made), ("test scenes", scenes)):
        for kind, row in part.get("masks", {}).items():
            yield _edit(title, kind, row)
    yield ""
    yield from _reasons(("generated pictures", made), ("test scenes", scenes))
    words = made.get("masks", {}).get("words", {})
    if words:
        verdict = "reached" if words["right"] >= RIGHT else "not reached"
        yield f"To reach on generated pictures by words: {RIGHT:.2f}, {verdict}."
        yield _same(words)
    yield ""
    if sheet:
        yield from ("The first of them, before, mask and after:", "", f"![Edits by words]({plots}/{EDITS})", "")


def _row(name: str, goal: str, found: Mapping, key: str, least: float | None, digits: int = 3) -> str:
    value = found.get(key)
    if value is None:
        return f"| {name} | {goal} | - | - | not run |"
    ends = found.get("top3_interval" if key == "top3" else "interval")
    span = " … ".join(f"{end:.{digits}f}" for end in ends) if ends else "-"
    verdict = "" if least is None else "reached" if value >= least else "not reached"
    return f"| {name} | {goal} | {value:.{digits}f} | {span} | {verdict} |"


def _edit(title: str, kind: str, row: Mapping) -> str:
    keys = ("found", "sees_new", "no_old", "new_is_strongest", "painted")
    shares = " | ".join(f"{row[key]:.3f}" for key in keys)
    low, high = row["interval"]
    return f"| {title} | {kind} | {row['n']} | {row['right']:.3f} | {low:.3f} … {high:.3f} | {shares} |"


def _same(words: Mapping) -> str:
    if not words["edited"]:
        return "Nothing was edited."
    return (
        f"Pixels outside mask and feather: identical in {words['untouched']:.1%} of {words['edited']} edited pictures."
    )


def _worst(by_object: Mapping[str, float]) -> str:
    worst = sorted(by_object.items(), key=lambda item: item[1])[:8]
    return "Least often found: " + ", ".join(f"{name} {part:.2f}" for name, part in worst) + "."


def _reasons(*parts: tuple[str, Mapping]) -> Iterator[str]:
    for name, part in parts:
        if not part or "not_run" in part:
            yield from (f"Not run, {name}: {str(part.get('not_run') or 'not measured').rstrip('.')}.", "")
