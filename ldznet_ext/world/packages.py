"""The art packages of Sticker World: address, size, SHA-256 and licence of every file that is ever downloaded.

npm and Debian publish these under fixed names; a file that does not match its checksum is never opened.
"""

from dataclasses import dataclass

NPM = "https://registry.npmjs.org"
DEBIAN = "http://deb.debian.org/debian/pool/main"
SNAPSHOT = "https://snapshot.debian.org/archive/debian/20230801T000000Z/pool/main"


@dataclass(frozen=True, kw_only=True)
class Package:
    """One archive to download."""

    name: str  # as its publisher spells it
    version: str
    size: int  # bytes
    sha256: str
    licence: str  # SPDX
    author: str
    home: str
    urls: tuple[str, ...]  # tried in this order
    files: tuple[str, ...]  # names it may have in a local folder; the first is the download's


def _npm(name: str, version: str, size: int, sha256: str, licence: str, author: str, home: str) -> Package:
    short = name.rpartition("/")[2]
    packed = name.removeprefix("@").replace("/", "-")  # what `npm pack` writes
    return Package(
        name=name,
        version=version,
        size=size,
        sha256=sha256,
        licence=licence,
        author=author,
        home=home,
        urls=(f"{NPM}/{name}/-/{short}-{version}.tgz",),
        files=(f"{packed}-{version}.tgz", f"{short}-{version}.tgz"),
    )


def _debian(name: str, source: str, version: str, size: int, sha256: str, licence: str, author: str) -> Package:
    upstream = version.rpartition(":")[2]  # the epoch is no part of a pool file's name
    pool = f"{source[0]}/{source}/{name}_{upstream}_all.deb"
    return Package(
        name=name,
        version=version,
        size=size,
        sha256=sha256,
        licence=licence,
        author=author,
        home=f"https://packages.debian.org/{name}",
        urls=(f"{DEBIAN}/{pool}", f"{SNAPSHOT}/{pool}"),
        files=(f"{name}_{upstream}_all.deb", f"{name}_{version.replace(':', '%3a')}_all.deb"),
    )


FLUENT = _npm(
    "@lobehub/fluent-emoji-3d",
    "1.1.0",
    15792027,
    "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
    "MIT",
    "Microsoft Corporation, packaged by LobeHub",
    "https://github.com/microsoft/fluentui-emoji",
)
NOTO = _npm(
    "@iconify-json/noto",
    "1.2.9",
    3102958,
    "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
    "Apache-2.0",
    "Google Inc, packaged by Iconify",
    "https://github.com/googlefonts/noto-emoji",
)
FLAT = _npm(
    "@iconify-json/fluent-emoji-flat",
    "1.2.6",
    1172438,
    "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
    "MIT",
    "Microsoft Corporation, packaged by Iconify",
    "https://github.com/microsoft/fluentui-emoji",
)
TWEMOJI = _npm(
    "@iconify-json/twemoji",
    "1.2.5",
    1555888,
    "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
    "CC-BY-4.0",
    "Twitter and contributors, packaged by Iconify",
    "https://github.com/twitter/twemoji",
)
EMOJIONE = _npm(
    "@iconify-json/emojione",
    "1.2.3",
    687690,
    "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
    "CC-BY-4.0",
    "EmojiOne (version 2), packaged by Iconify",
    "https://github.com/EmojiTwo/emojitwo",
)
STAMPS = _debian(
    "tuxpaint-stamps-default",
    "tuxpaint-stamps",
    "2022.06.04-1",
    160880444,
    "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
    "GPL-2.0-or-later",
    "the Tux Paint artists",
)
WALLPAPERS = _debian(
    "plasma-workspace-wallpapers",
    "plasma-workspace-wallpapers",
    "4:5.27.5-2",
    94047772,
    "32cd18b71c8c938a18b3b351f217c02ac590e323caa3cf322fbb875ce8892f8b",
    "GPL-2.0-or-later",
    "the photographers of the KDE community",
)

# The style's art; `photo` alone needs two: cut-outs and the grounds they stand on.
ART: dict[str, tuple[Package, ...]] = {
    "fluent": (FLUENT,),
    "noto": (NOTO,),
    "flat": (FLAT,),
    "twemoji": (TWEMOJI,),
    "emojione": (EMOJIONE,),
    "photo": (STAMPS, WALLPAPERS),
}
