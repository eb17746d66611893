"""Only methods that can work are offered, by their labels; their names stay their values."""

from ldznet_ext.errors import ModelError
from ldznet_ext.ui.desk import About, Choice, about_of, fitting, methods_of
from tests.unit.ui.conftest import FakeDesk

ABOUT = About(
    methods=(
        Choice(name="attention", label="Attention (needs no head)"),
        Choice(name="auto", label="Automatic: the best"),
        Choice(name="ldznet", label="LD-ZNet", why_not="There is no head."),
    )
)


def test_what_cannot_work_is_not_offered() -> None:
    assert methods_of(ABOUT) == [("Automatic: the best", "auto"), ("Attention (needs no head)", "attention")]
    assert methods_of(About()) == [("Automatic", "auto")]


def test_a_choice_that_cannot_work_any_longer_gives_way() -> None:
    assert fitting(ABOUT, "attention") == "attention"
    assert fitting(ABOUT, "ldznet") == "auto"


def test_a_desks_refusal_is_its_message() -> None:
    class Refusing(FakeDesk):
        def about(self) -> About:
            raise ModelError("No model.")

    assert about_of(Refusing()).message == "No model."  # type: ignore[arg-type]
