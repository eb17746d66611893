"""What a person can set of a painting, in a table as `request.OPTIONS` is for masks: the app's widgets and the API's fields.

The engine takes more (see `sampling`): what is here is what one machine does in a time a person waits.
"""

from ldznet_ext.request import NUMBER, TEXT, WHOLE, Option
from ldznet_ext.sampling import DEFAULT_GUIDANCE, DEFAULT_STEPS

SIDE, LONGEST_SIDE = 64, 1536
"""Pixels of a painted picture's sides: multiples of the one, up to the other."""

PAINT_OPTIONS = (
    Option(
        name="prompt",
        kind=TEXT,
        default="",
        label="Prompt",
        infotext="Prompt",
        help='what to paint, such as "a fox on snow, night"',
    ),
    Option(
        name="negative",
        kind=TEXT,
        default="",
        label="Negative prompt",
        infotext="Negative prompt",
        help="what to draw the picture away from",
    ),
    Option(
        name="steps",
        kind=WHOLE,
        default=DEFAULT_STEPS,
        label="Steps",
        infotext="Steps",
        help=f"sampling steps: more take longer (default: {DEFAULT_STEPS})",
        low=1,
        high=150,
        step=1,
    ),
    Option(
        name="guidance",
        kind=NUMBER,
        default=DEFAULT_GUIDANCE,
        label="Guidance",
        infotext="CFG scale",
        help=f"how much the words weigh; 1 halves the work (default: {DEFAULT_GUIDANCE:g})",
        low=0.0,
        high=100.0,
        step=0.5,
    ),
    Option(
        name="strength",
        kind=NUMBER,
        default=1.0,
        label="Strength",
        infotext="Denoising strength",
        help="how much of what was there is forgotten when a part is repainted (default: 1, all)",
        low=0.01,
        high=1.0,
        step=0.01,
    ),
    Option(
        name="seed",
        kind=WHOLE,
        default=0,
        label="Seed",
        infotext="Seed",
        help="another number, another picture (default: 0)",
        low=0,
        high=2**63 - 1,
        step=1,
    ),
)
"""Every setting of a painting, in the order in which they are shown."""

PAINT = {option.name: option for option in PAINT_OPTIONS}
"""The same by name."""
