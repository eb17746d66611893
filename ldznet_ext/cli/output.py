"""What the files of a painted picture are called."""


def slug(prompt: str, longest: int = 48) -> str:
    """A prompt as a file name of plain letters: the same words give the same name.

    >>> slug("A fox & a doughnut on snow, night")
    'a-fox-a-doughnut-on-snow-night'
    """
    import hashlib
    import re

    plain = re.sub(r"[^a-z0-9]+", "-", prompt.casefold()).strip("-")
    if plain and plain.replace("-", " ").split() and len(plain) <= longest and prompt.isascii():
        return plain
    mark = hashlib.sha256(" ".join(prompt.split()).encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{plain[:longest].rstrip('-')}-{mark}".lstrip("-")  # cut, or in another script: two of them must not meet
