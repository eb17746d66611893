"""What the files of a painted picture are called."""

from ldznet_ext.cli.output import slug


def test_slugs():
    assert slug("A fox & a doughnut!") == "a-fox-a-doughnut"
    long, other = "a fox " * 20 + "one", "a fox " * 20 + "two"
    assert slug(long) == slug(long) != slug(other) and len(slug(long)) < 60
    assert slug("狐狸") != slug("猫") and slug("狐狸").isascii() and slug("...") and slug("\udce9")
