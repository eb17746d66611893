"""An example of each route's request and answer: what /docs shows, and out of which the answers' JSON Schema is read."""

from typing import Any

PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFElEQVR4nGN8ViHHgA0wYRUdtBIALccBjOFAFKwAAAAASUVORK5CYII="
"""A whole PNG of 8 x 8 pixels."""
SHOWN = "iVBORw0KGgo..."
"""Stands for base64 that nobody would read."""

TERM = {"text": "fox", "status": "found", "score": 0.94, "box": [80, 40, 388, 471], "area": 71875}
SPENT = {"method": "ldznet", "familiar": True, "message": "", "unet_calls": 1, "seconds": {"total": 0.41}}
FOUND = {
    "words": "fox & !tail",
    "status": "found",
    "score": 0.94,
    "box": [102, 40, 388, 471],
    "area": 61230,
    "terms": [TERM, {**TERM, "text": "tail", "score": 0.71, "box": [80, 300, 170, 452], "area": 10645}],
}
MASK_ANSWER = {**FOUND, "mask": SHOWN, **SPENT}
ANSWERED = {"host": "LD-ZNet 0.1.0", "model": "sticker-sd"}

REQUESTS: dict[str, dict[str, Any]] = {
    "masks": {
        "images": [PICTURE],
        "words": ["fox & !tail", "snow"],
        "want": ["mask", "overlay"],
        "threshold": 0.4,
        "grow": 4,
        "feather": 1.5,
    },
    "classes": {"images": [PICTURE], "names": ["fox", "snow"], "want": ["classes", "overlay"]},
    "like": {"image": PICTURE, "clicks": [[3, 4]], "others": [PICTURE]},
    "generate": {"prompt": "a red fox on snow, night", "steps": 20, "seed": 7, "words": "fox"},
    "edit": {"image": PICTURE, "words": "fox", "grow": 4, "prompt": "a white rabbit", "strength": 0.8, "seed": 1},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "masks": {
        **ANSWERED,
        "images": [{"size": [512, 768], "masks": [{**FOUND, "mask": SHOWN, "overlay": SHOWN, **SPENT}]}],
    },
    "classes": {
        **ANSWERED,
        "images": [
            {
                "size": [512, 768],
                "names": [{**TERM, "index": 1}, {**TERM, "text": "snow", "index": 2, "area": 301_200}],
                "unlabelled": 20141,
                "classes": SHOWN,
                "overlay": SHOWN,
                **SPENT,
            }
        ],
    },
    "like": {
        **ANSWERED,
        "images": [
            {
                "size": [512, 768],
                **FOUND,
                "words": "example",
                "terms": [],
                "mask": SHOWN,
                **SPENT,
                "method": "example",
                "instances": [{"box": [102, 40, 388, 471], "area": 61230, "score": 0.91, "marked": False}],
            }
        ],
    },
    "generate": {
        **ANSWERED,
        "image": SHOWN,
        "size": [256, 256],
        "seed": 7,
        "masks": [{**MASK_ANSWER, "words": "fox", "terms": [], "unet_calls": 0}],
    },
    "edit": {
        **ANSWERED,
        "image": SHOWN,
        "size": [512, 768],
        "seed": 1,
        "masks": [{**FOUND, "words": "fox", "terms": [], **SPENT}],
    },
    "methods": {
        "methods": [
            {
                "name": "auto",
                "label": "Automatic: the best there is for the checkpoint",
                "available": True,
                "why_not": "",
            }
        ],
        "message": "",
    },
    "models": {
        "model": "sticker-sd",
        "family": "sticker",
        "heads": ["ldznet-sticker.safetensors"],
        "convertible": ["LDZNet_txt2mask.ckpt"],
        "models": [{"name": "sticker-sd", "family": "sticker", "bytes": 55_750_982, "loaded": True}],
        "message": "",
    },
    "health": {"status": "ok", "host": "LD-ZNet 0.1.0", "version": "0.1.0", "model": "sticker-sd"},
    "jobs": {"job": "3f1c-my-own-name", "state": "working", "fraction": 0.35, "what": "painting, step 7 of 20"},
}
