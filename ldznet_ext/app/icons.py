"""The page's signs, drawn by hand on a grid of 24: a line of even width, in the colour of the text round it."""

PATHS = {
    "pick": "M5 3l6.5 16 2.2-6.6L20 10z",
    "add": "M4 20c3 0 5-1 5-4a2.5 2.5 0 0 1 5 0c0 3-3 5-6 5M12.5 13.5L20 5",
    "erase": "M8 19l-4-4 9-10 7 6-7 8zM8.5 10.2l6.6 6M8 19h12",
    "example": "M4 4h7v7H4zM13 13h7v7h-7zM16.5 4v6M13.5 7h6",
    "undo": "M9 6L4.5 10.5 9 15M5 10.5h9a5 5 0 0 1 0 10h-3",
    "redo": "M15 6l4.5 4.5L15 15M19 10.5h-9a5 5 0 0 0 0 10h3",
    "compare": "M12 3v18M4 6h5v12H4zM15 6h5v12h-5z",
    "open": "M4 18V6h6l2 2.5h8V18zM12 15.5v-4M10 13.2l2-2 2 2",
    "clear": "M5 7h14M9 7V4.5h6V7M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
    "theme": "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
    "help": "M9.2 9.2a2.9 2.9 0 1 1 4 2.7c-.9.4-1.2 1-1.2 2M12 17.2v.1M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z",
    "save": "M12 4v11M7.5 10.5L12 15l4.5-4.5M5 19.5h14",
    "copy": "M8 8V4h12v12h-4M4 8h12v12H4z",
    "model": "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
    "close": "M6 6l12 12M18 6L6 18",
}


def icon(name: str) -> str:
    """One of them as SVG."""
    return f'<svg class="ldz-icon" viewBox="0 0 24 24" aria-hidden="true"><path d="{PATHS[name]}"/></svg>'
