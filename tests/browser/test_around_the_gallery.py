"""txt2img with masks, the buttons under the gallery, regions to click, and answers while the next picture is painted."""

from typing import Any

import numpy as np
import pytest

from tests.browser import driving

pytestmark = pytest.mark.browser


def turn_on(page: Any, words: str, tab: str = "txt2img") -> None:
    """Open the accordion, which turns masks on, and write the words."""
    page.click(f"#ldznet_{tab}_enabled .label-wrap")
    page.fill(f"#ldznet_{tab}_words textarea", words)


def test_masks_come_with_the_picture_and_cost_no_pass(page: Any) -> None:
    turn_on(page, "snow")
    shown = driving.generate(page, "txt2img", "a fox on snow, night", steps=6)
    thumbnails = page.locator("#txt2img_gallery .thumbnails > .thumbnail-item").count()
    page.click("#ldznet_txt2img_mask")
    page.wait_for_selector("#ldznet_tab_picture img")
    page.wait_for_selector("#ldznet_tab_message .ldznet-chip")
    said = page.inner_text("#ldznet_tab_message")

    assert shown.shape == (256, 256, 3)
    assert thumbnails == 3  # picture, overlay, mask
    assert page.input_value("#ldznet_tab_prompt textarea") == "a fox on snow, night"
    assert "no extra pass" in said


def test_the_gallerys_picture_goes_to_inpaint_with_its_mask(page: Any) -> None:
    turn_on(page, "snow")
    driving.generate(page, "txt2img", "a fox on snow, night", steps=6)
    page.click("#txt2img_gallery .thumbnails > .thumbnail-item >> nth=0")
    page.click("#ldznet_txt2img_to_inpaint")
    mask = driving.wait_painted(page, least=2000)

    assert page.locator("#img2maskimg").is_visible()
    assert mask.shape == (256, 256)


def test_an_overlay_or_a_mask_is_not_taken_for_a_picture(page: Any) -> None:
    turn_on(page, "snow")
    driving.generate(page, "txt2img", "a fox on snow, night", steps=6)
    for number, what in ((1, "its mask drawn on it"), (2, "This is a mask")):
        page.click(f"#txt2img_gallery .thumbnails > .thumbnail-item >> nth={number}")
        page.wait_for_timeout(500)
        page.click("#ldznet_txt2img_to_inpaint")
        page.wait_for_function(
            "what => document.querySelector('#ldznet_txt2img_status').innerText.includes(what)", arg=what
        )


def test_only_methods_that_fit_are_offered(page: Any) -> None:
    page.evaluate("ldznet.open_tab()")
    for place in ("ldznet_tab", "ldznet_txt2img", "ldznet_img2img", "ldznet_inpaint", "ldznet_sketch"):
        names = f"Array.from(document.querySelectorAll('#{place}_method input'), one => one.value)"
        page.wait_for_function(f"() => !{names}.includes('rgbnet')")
        assert page.evaluate(names) == ["auto", "ldznet", "attention", "maskdiffusion", "noise_difference"]


def test_the_cut_out_is_shown(page: Any) -> None:
    turn_on(page, "snow")
    driving.generate(page, "txt2img", "a fox on snow, night", steps=6)
    page.click("#txt2img_gallery .thumbnails > .thumbnail-item >> nth=0")
    page.click("#ldznet_txt2img_cut")
    page.wait_for_selector("#ldznet_tab_overlay img")
    cut = driving.image_of(page.get_attribute("#ldznet_tab_overlay img", "src"))

    assert cut.shape == (256, 256, 4)
    assert set(np.unique(cut[..., 3])) == {0, 255}


def test_without_a_picture_the_buttons_say_so(page: Any) -> None:
    page.click("#ldznet_txt2img_to_inpaint")
    page.wait_for_selector("#ldznet_txt2img_status .ldznet-message")
    assert "no picture" in page.inner_text("#ldznet_txt2img_status")


def test_a_clicked_region_becomes_the_mask_and_goes_to_inpaint(page: Any, picture: Any) -> None:
    page.evaluate("ldznet.open_tab()")
    driving.upload(page, "ldznet_tab_picture", picture)
    page.fill("#ldznet_tab_prompt textarea", "a dolphin on stone, sky")
    page.click("#ldznet_tab_look")
    page.wait_for_selector("#ldznet_tab_regions .legend-item")
    labels = page.locator("#ldznet_tab_regions .legend-item").all_inner_texts()
    page.click("#ldznet_tab_regions .legend-item >> nth=0")
    page.wait_for_selector("#ldznet_tab_mask img", state="attached")
    page.click("#ldznet_tab_to_inpaint")
    mask = driving.wait_painted(page, least=500)

    assert any("dolphin" in label or "sky" in label or "stone" in label for label in labels)
    assert mask.shape == (256, 256)


def test_a_click_into_the_picture_takes_the_smallest_region_there(page: Any, picture: Any) -> None:
    page.evaluate("ldznet.open_tab()")
    driving.upload(page, "ldznet_tab_picture", picture)
    page.fill("#ldznet_tab_prompt textarea", "a dolphin, sky")
    page.click("#ldznet_tab_look")
    page.wait_for_selector("#ldznet_tab_regions .legend-item")
    place = page.locator("#ldznet_tab_regions img.base-image").bounding_box()
    page.mouse.click(place["x"] + 0.6 * place["width"], place["y"] + 0.2 * place["height"])
    page.wait_for_selector("#ldznet_tab_mask img", state="attached")
    mask = driving.image_of(page.get_attribute("#ldznet_tab_mask img", "src"))

    assert mask[51, 154] == 255
    assert 0.05 < (mask > 128).mean() < 0.3  # the dolphin, not the sky


def test_sliders_answer_while_the_next_picture_is_painted(page: Any, picture: Any) -> None:
    page.evaluate("ldznet.open_tab()")
    driving.upload(page, "ldznet_tab_picture", picture)
    page.fill("#ldznet_tab_words textarea", "dolphin")
    page.click("#ldznet_tab_find")
    page.wait_for_selector("#ldznet_tab_mask img", state="attached")
    before = page.get_attribute("#ldznet_tab_mask img", "src")
    page.evaluate("pocket.tab('txt2img')")
    driving.set_number(page, "txt2img_steps", 60)
    page.fill("#txt2img_prompt textarea", "a fox on snow")
    page.click("#txt2img_generate")
    page.wait_for_selector("#txt2img_gallery_container .pocket-progress", state="attached")
    page.evaluate("ldznet.open_tab()")
    driving.slide(page, "ldznet_tab_grow", 16)
    page.wait_for_function("old => document.querySelector('#ldznet_tab_mask img').src !== old", arg=before)
    still = page.locator("#txt2img_gallery_container .pocket-progress").count()
    page.evaluate("pocket.tab('txt2img')")
    page.click("#txt2img_interrupt")
    page.wait_for_selector("#txt2img_gallery img")

    assert still == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_messages_can_be_read_in_both_themes(browser: Any, address: str, picture: Any, theme: str) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(driving_patience())
    page.goto(f"{address}?__theme={theme}")
    page.wait_for_selector("#txt2img_prompt textarea")
    driving.open_inpaint(page)
    driving.upload(page, "img2maskimg", picture)
    driving.ask(page, "ldznet_inpaint", "dolphin")
    colours = page.evaluate(
        """() => {
            const chip = document.querySelector('#ldznet_inpaint_status .ldznet-chip');
            const behind = (element) => getComputedStyle(element).backgroundColor;
            let ground = chip.parentElement;
            while (ground.parentElement && behind(ground).endsWith(", 0)")) ground = ground.parentElement;
            return [getComputedStyle(chip).color, behind(ground)];
        }"""
    )
    page.close()
    text, ground = (sum(int(part) for part in colour.strip("rgba()").split(",")[:3]) / 3 for colour in colours)

    assert abs(text - ground) > 100
    assert (ground < 80) == (theme == "dark")


def driving_patience() -> int:
    """As for every other page."""
    from tests.browser.conftest import PATIENCE

    return PATIENCE
