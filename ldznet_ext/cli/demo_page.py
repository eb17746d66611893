"""The demo as one HTML page: no request leaves it, light or dark as the system is, every picture a file beside it."""

import json
from html import escape

from ldznet_ext import __version__
from ldznet_ext.cli.demo_sheet import measured, quoted, verdict
from ldznet_ext.cli.demo_story import Failure, Step, Story

STYLE = """
:root { color-scheme: light dark; --ink: #18181b; --soft: #63636e; --ground: #fafafa; --card: #fff; --line: #e4e4e7;
  --accent: #c2186b; --code: #f4f4f5 }
@media (prefers-color-scheme: dark) { :root { --ink: #f4f4f5; --soft: #a1a1aa; --ground: #131316; --card: #1c1c20;
  --line: #303036; --accent: #ff6fb1; --code: #26262b } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 68rem; padding: 2.5rem 1.25rem 4rem; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.01em }
h2 { font-size: 1.2rem; margin: 0 0 .25rem }
p { margin: 0 0 1rem; color: var(--soft); max-width: 46rem }
em { color: var(--accent); font-style: normal; font-weight: 600 }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.4rem; margin: 1.4rem 0 }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1rem }
figure { margin: 0 } figcaption { color: var(--soft); font-size: .875rem; margin-top: .4rem }
img { display: block; width: 100%; height: auto; border-radius: 8px; background: var(--code) }
.none { aspect-ratio: 1; display: grid; place-items: center; text-align: center; padding: 1rem; border-radius: 8px;
  border: 1px dashed var(--line); color: var(--soft) }
code, pre { font: .8125rem/1.5 ui-monospace, SFMono-Regular, Consolas, monospace }
pre { background: var(--code); border-radius: 8px; padding: .75rem .9rem; overflow-x: auto; margin: .8rem 0 0 }
summary { cursor: pointer; color: var(--soft); font-size: .875rem; margin-top: 1rem }
table { border-collapse: collapse; font-size: .875rem; margin-top: .5rem } td { padding: .15rem 1.2rem .15rem 0 }
td:last-child { text-align: right; font-variant-numeric: tabular-nums }
footer { color: var(--soft); font-size: .875rem } a { color: inherit }
"""


def page(story: Story) -> str:
    """The whole document."""
    body = "\n".join(
        [_painted(story), _edited(story), _absent(story), *([_failed(story.failure)] if story.failure else [])]
    )
    model = story.generate.answer["model"]
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Words and a picture to a mask, and an edit</title>
<style>{STYLE}</style>
<h1>Words to a picture, words to a mask, words to an edit</h1>
<p>Everything here was made on this machine in {story.seconds:.0f} s by one small diffusion model, {escape(model)}. The mask comes
from what that model computes anyway while it paints: a small head reads it out.</p>
{body}
<footer>ldznet {escape(__version__)} · <a href="sheet.png">all of it as one picture</a></footer>
</html>
"""


def _painted(story: Story) -> str:
    words = quoted(story.generate)
    figures = [
        _figure(story.generate.picture("image"), f"painted, seed {story.generate.answer['seed']}"),
        _figure(story.generate.picture("prob"), f"probability of {words}"),
        _figure(story.generate.picture("overlay"), verdict(story.generate)),
        _figure(story.generate.picture("mask"), measured(story.generate)),
    ]
    text = f"The prompt was <em>{escape(story.prompt)}</em>; then the words <em>{escape(words)}</em> were looked for in it."
    return _section("A picture and a mask", text, figures, story.generate)


def _edited(story: Story) -> str:
    figures = [
        _figure(story.generate.picture("image"), "before"),
        _figure(story.edit.picture("overlay"), f"{verdict(story.edit)}, found again in the finished picture"),
        _figure(story.edit.picture("image"), f"after, seed {story.edit.answer['seed']}", "nothing was repainted"),
    ]
    text = f"What {escape(quoted(story.edit))} names was painted anew as <em>{escape(story.new)}</em>; all else stays as it was."
    return _section("The edit", text, figures, story.edit)


def _absent(story: Story) -> str:
    figures = [
        _figure(story.absent.picture("overlay"), verdict(story.absent)),
        _figure(story.absent.picture("prob"), "its probability, kept all the same"),
        _figure(story.absent.picture("mask"), "the mask"),
    ]
    text = f"The words <em>{escape(quoted(story.absent))}</em> name nothing in this picture, and the answer says so."
    return _section("What is not there", text, figures, story.absent)


def _failed(failure: Failure) -> str:
    figures = [
        _figure(failure.source, "the test scene"),
        _figure(failure.truth, "its true mask"),
        _figure(failure.step.picture("prob"), f"probability of “{failure.phrase}”"),
        _figure(failure.step.picture("mask"), f"{verdict(failure.step)}: IoU {failure.iou:.2f}"),
    ]
    text = (
        f"One object was looked for in each of {len(failure.tried)} test scenes. Of those that were found this came out worst: "
        f"<em>IoU {failure.iou:.2f}</em>."
    )
    rows = "".join(
        f"<tr><td>{escape(row['picture'])}<td>{escape(row['phrase'])}<td>{escape(row['status'])}<td>{row['iou']:.2f}"
        for row in failure.tried
    )
    table = f"<details><summary>All that were tried, with their IoU</summary><table>{rows}</table></details>"
    return _section("A failure", text, figures, failure.step, table)


def _section(title: str, text: str, figures: list[str], step: Step, more: str = "") -> str:
    answer = escape(json.dumps(step.answer, indent=2, ensure_ascii=False))
    return f"""<section>
<h2>{title}</h2>
<p>{text}</p>
<div class="row">{"".join(figures)}</div>
<pre>{escape(step.shell)}</pre>
{more}
<details><summary>What it printed ({step.seconds:.1f} s)</summary><pre>{answer}</pre></details>
</section>"""


def _figure(file: str | None, caption: str, missing: str = "") -> str:
    shown = (
        f'<img src="{escape(file)}" alt="{escape(caption)}">' if file else f'<div class="none">{escape(missing)}</div>'
    )
    return f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>"
