"""Every text of the app's page, in one place: what a translator would be given.

Sentences that belong to an answer (found, not found, refusals) come with the answer and are written where it is made.
"""

TITLE = "LD-ZNet"
TAGLINE = "Words to a mask, read out of the model"

# the line above all
MODEL, THEME, HELP = "Model", "Light or dark", "Keyboard shortcuts"
NO_MODEL = "no model yet"
CLOSE = "Close"

# words
WORDS = "What to mask"
WORDS_EXAMPLE = "fox & !tail"
FIND = "Find"
PROMPT = "What is in the picture"
PROMPT_EXAMPLE = "its prompt, or a list: a fox, a balloon, snow"
LOOK = "Show every part"
PARTS = "In this picture"
PARTS_HINT = "Click a part, here or in the list, to make it the mask."

# the stage
OPEN = "Open a picture"
DROP = "Drop a picture here"
VIEWS = {
    "overlay": "Overlay",
    "regions": "Parts",
    "heat": "Heat map",
    "cutout": "Cut-out",
    "mask": "Mask",
    "picture": "Picture",
}
TOOLS = {
    "pick": "Choose pieces: click one to drop it or bring it back, with Shift to keep it alone",
    "add": "Draw what belongs to the mask",
    "erase": "Draw what does not belong to it",
    "example": "Mask by example: click one, and what looks like it is found",
}
VIEW, TOOL, PICTURE = "What is shown", "Tool", "The picture"
SIZE = "Width of the brush"
SNAP = "Follow edges"
SNAP_HELP = "strokes follow the picture's edges"
UNDO, REDO, COMPARE, CLEAR = "Undo", "Redo", "Before and after", "Clear what was drawn by hand"
CANCEL = "Cancel"
HISTORY = "History"

# the sections beside it
SHAPE = "Shape of the mask"
SHAPE_MORE = "More of its shape"
MORE = "How it is found"
PRESETS = "Presets"
PRESET_SAVE, PRESET_NAME, PRESET_NEW = "Keep", "Name of this preset", "Keep these settings as a preset"
PRESET_DROP = "Yours: right-click or Delete removes it"
PRESET = {
    "As found": {},
    "Sticker": {"grow": 6, "holes": True, "keep": 1},
    "Soft": {"feather": 4.0, "soft": True},
    "For inpainting": {"grow": 12, "feather": 6.0, "holes": True},
    "Hair": {"alpha": True},
}
"""Presets that come with the app: what differs from the defaults of the table of options."""
REPAINT = "Repaint"
REPAINT_PROMPT, REPAINT_EXAMPLE = "What to paint there", "an owl"
NEGATIVE = "What to avoid"
STRENGTH, SEED, STEPS, GUIDANCE = "Strength", "Seed", "Steps", "Guidance"
REPAINT_DO, ANOTHER = "Repaint the mask", "Another"
GENERATE = "Paint a picture"
GENERATE_PROMPT = "What to paint"
GENERATE_EXAMPLE = "a fox on snow, night"
GENERATE_DO = "Paint"
ALIKE = "Mask by example"
ALIKE_HELP = "Find what looks like the present mask: in this picture, or in others."
ALIKE_DO = "More like the mask"
ALIKE_OTHERS = "Find it in other pictures …"
SAVE = "Save"
SAVE_NAME = "File name"
RECIPE, COPY, COPIED = "Recipe", "Copy", "Copied"
RECIPE_HELP = "All that repeats this mask exactly; it is also written into each PNG."
LOAD = "Load"
LOAD_HELP = "Folders and .safetensors files in the model folders."
AUTO = "auto"

# what the page says by itself
NOTHING_YET = "Nothing is asked yet: type words, draw, or click an example."
PREPARING = "getting the model ready"
WORKING = "working"
GONE = "This page was open for long and its picture is no longer kept, so it starts anew."
LOST = "The app does not answer; it may have been stopped. Start it again, then reload this page."
UNFAMILIAR = "What still works here:"
UNFAMILIAR_BRUSH = "Draw along edges"
UNFAMILIAR_EXAMPLE = "Mask by example"
UNFAMILIAR_MODEL = "Load a checkpoint"
LOADED = "{model} is loaded."
CANCELLED = "Cancelled; nothing has changed."
FAILED = "This went wrong inside ({kind}: {error}); the terminal that runs the app says where."

# history
DONE = {
    "begin": "Example",
    "open": "Opened",
    "things": "All parts",
    "add": "Drawn",
    "erase": "Erased",
    "drop": "Piece dropped",
    "keep": "Piece kept",
    "only": "One piece",
    "clear": "Hand cleared",
    "cut": "Shape",
    "repaint": "Repainted",
    "generate": "Painted",
    "like": "By example",
}

# keys, in the order in which they are explained
KEYS = (
    ("/", "type words"),
    ("Enter", "find them"),
    ("1 – 6", "overlay, parts, heat map, cut-out, mask, picture"),
    ("Space", "hold: the picture alone"),
    ("V  B  E", "choose pieces, draw, erase"),
    ("[  ]", "narrower, wider brush"),
    ("I", "invert"),
    ("Ctrl Z", "undo; with Shift redo"),
    ("C", "before and after"),
    ("O", "open a picture"),
    ("S", "save the mask"),
    ("Esc", "cancel what runs"),
    ("?", "these keys"),
)

# who may come in
LOGIN = "This desk is locked"
LOGIN_HELP = "It was started for other machines to reach; whoever started it knows its token."
TOKEN, ENTER, WRONG = "Token", "Come in", "That is not the token."


def for_browser() -> dict[str, object]:
    """What the page's scripts say."""
    return {
        "lost": LOST,
        "gone": GONE,
        "copied": COPIED,
        "copy": COPY,
        "working": WORKING,
        "unfamiliar": UNFAMILIAR,
        "unfamiliarBrush": UNFAMILIAR_BRUSH,
        "unfamiliarExample": UNFAMILIAR_EXAMPLE,
        "unfamiliarModel": UNFAMILIAR_MODEL,
        "noModel": NO_MODEL,
        "views": list(VIEWS),
        "presets": PRESET,
        "presetDrop": PRESET_DROP,
        "presetNew": PRESET_NEW,
    }
