"""The page in a real browser: Debian's Chromium, driven by Playwright."""

import csv
import io
import os
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect

from steel_defect_detection import images, load_predictor
from steel_defect_detection.predictors.load import read_model
from steel_defect_detection.web.app import create_app
from steel_defect_detection.web.limits import Limits
from tests import browsing
from tests.web import serving
from tests.web.serving import Bright, png

pytestmark = pytest.mark.thorough

# A machine that does other things as well may need it.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)

PHONE = {"width": 390, "height": 844}
TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def browser():
    with browsing.launched() as started:
        yield started


@pytest.fixture(scope="module")
def address():
    wide = Limits(max_bytes=200_000, max_pixels=10_000)
    with serving.running(serving.bright_app(limits=wide), wide) as where:
        yield where


@pytest.fixture
def open_page(browser, address):
    """Opens the page; at the end nothing may have gone wrong in it, nor been asked elsewhere."""
    contexts, complaints, asked = [], [], []

    def open_it(where=address, **settings):
        context = browser.new_context(**{"locale": "en-GB"} | settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(where)
        page.bring_to_front()
        return page

    yield open_it
    for context in contexts:
        context.close()
    # The browser itself notes answers such as 422 for a text file; those are no mistakes.
    assert [text for text in complaints if "Failed to load resource" not in text] == []
    assert [
        url for url in asked if not re.match(r"http://127\.0\.0\.1:|blob:http://127|data:", url)
    ] == []


@pytest.fixture
def pictures(tmp_path):
    """A strip with a pit, a clean one, one as TIFF, and a text."""
    both = np.full((16, 96, 3), 40, dtype=np.uint8)
    both[4:10, 60:70] = 250
    both[4:10, 10:20] = 150
    images.write(tmp_path / "both.png", both)
    (tmp_path / "clean.png").write_bytes(png())
    cv2.imencode(".tif", both)[1].tofile(tmp_path / "scan.tif")
    (tmp_path / "notes.txt").write_text("no image", encoding="utf-8")
    return tmp_path


def drop(page, *files):
    expect(page.locator("#drop")).to_be_visible()
    page.set_input_files("#files", [str(file) for file in files])
    expect(page.locator(".verdict.waiting")).to_have_count(0)
    expect(page.locator("#status")).to_contain_text(re.compile(r"Images: |Снимков: "))


def card(page, name):
    return page.locator("#results > li", has=page.get_by_role("heading", name=name))


def saved(page, button, scope=None):
    with page.expect_download() as download:
        (scope or page).get_by_role("button", name=button).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_verdict_areas_and_outlines_are_shown(open_page, pictures):
    page = open_page()
    drop(page, pictures / "both.png", pictures / "clean.png")
    both = card(page, "both.png")
    expect(both.locator(".verdict")).to_have_text("! defect")
    expect(both.get_by_role("row", name="pit")).to_have_text(
        re.compile(r"pit\s*60\s*3.9%\s*1\s*25%")
    )
    expect(both.locator("[data-class=pit] path")).to_have_count(2)
    expect(card(page, "clean.png").locator(".verdict")).to_have_text("✓ clean")
    expect(page.locator("#status")).to_have_text(
        "Images: 2. With defects: 1. Clean: 1. Unfamiliar: 0. Could not be judged: 0."
    )
    assert both.locator("image").evaluate("one => one.href.baseVal.startsWith('blob:')")


def test_a_class_is_switched_off_and_on(open_page, pictures):
    page = open_page()
    drop(page, pictures / "both.png")
    outlines = {name: page.locator(f"[data-class={name}]") for name in ("pit", "scratch")}
    page.get_by_label("scratch").uncheck()
    expect(outlines["scratch"]).to_be_hidden()
    expect(outlines["pit"]).to_be_visible()
    page.get_by_label("scratch").check()
    expect(outlines["scratch"]).to_be_visible()


def test_masks_tables_and_pictures_are_saved(open_page, pictures):
    page = open_page()
    drop(page, pictures / "both.png", pictures / "clean.png")
    name, mask = saved(page, "Mask (PNG)", card(page, "both.png"))
    assert name == "both-mask.png"
    label_map = images.decode(mask, name)[..., 0]
    expected = np.zeros((16, 96), dtype=np.uint8)
    expected[4:10, 60:70], expected[4:10, 10:20] = 1, 2
    np.testing.assert_array_equal(label_map, expected)

    name, overlay = saved(page, "Outlined image (PNG)", card(page, "both.png"))
    drawn = Bright().predict(pictures / "both.png", keep_image=True).overlay()
    assert name == "both-overlay.png"
    np.testing.assert_array_equal(images.decode(overlay, name), drawn)

    name, runs = saved(page, "Run lengths (CSV)")
    first, _ = csv.DictReader(io.StringIO(runs.decode()))
    said = Bright().predict(pictures / "both.png").runs()
    assert (name, first["ImageId"], first["ClassId"]) == ("predictions.csv", "both.png", "1")
    assert first["EncodedPixels"] == said["pit"]

    name, table = saved(page, "Table (CSV)")
    both, clean = csv.DictReader(io.StringIO(table.decode()))
    assert name == "images.csv"
    assert (both["verdict"], both["area_pit"], both["area_scratch"]) == ("defect", "60", "60")
    assert (clean["file"], clean["verdict"], clean["area_pit"]) == ("clean.png", "clean", "0")


def test_a_file_that_is_no_image_has_an_error_in_words(open_page, pictures):
    page = open_page()
    drop(page, pictures / "notes.txt", pictures / "clean.png")
    notes = card(page, "notes.txt")
    expect(notes.locator(".verdict")).to_have_text("✕ error")
    expect(notes.locator(".warning")).to_have_text(
        "notes.txt is not an image: it has no JPEG, PNG, BMP, TIFF or WebP header"
    )
    expect(card(page, "clean.png").locator(".verdict")).to_have_text("✓ clean")


def test_what_a_browser_cannot_show_comes_from_the_server(open_page, pictures):
    page = open_page()
    drop(page, pictures / "scan.tif")
    image = card(page, "scan.tif").locator("image")
    assert image.get_attribute("href").startswith("data:image/jpeg;base64,")


def test_a_file_that_is_too_large_is_not_even_sent(open_page, tmp_path):
    page = open_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    (tmp_path / "large.png").write_bytes(b"x" * 300_000)
    drop(page, tmp_path / "large.png")
    expect(card(page, "large.png").locator(".warning")).to_have_text(
        "The file is larger than 0 MB."
    )
    assert not [url for url in asked if "predict" in url]


def test_files_are_dropped_onto_the_page(open_page):
    page = open_page()
    expect(page.locator("#model")).to_contain_text("bright")
    page.evaluate(
        """bytes => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(bytes)], "dropped.png"));
            document.dispatchEvent(
                new DragEvent("drop", { dataTransfer: carried, cancelable: true })
            );
        }""",
        list(png(pits=4)),
    )
    expect(card(page, "dropped.png").locator(".verdict")).to_have_text("! defect")


def test_files_that_are_chosen_before_the_page_is_ready_are_judged(browser, address, pictures):
    context = browser.new_context(locale="en-GB")
    page, held = context.new_page(), []
    page.route("**/model", lambda route: held.append(route))  # noqa: PLW0108 -- it gets a mark
    page.goto(address)
    page.set_input_files("#files", str(pictures / "both.png"))
    while not held:
        page.wait_for_timeout(50)
    expect(page.locator("#results > li")).to_have_count(0)
    held.pop().continue_()
    expect(card(page, "both.png").locator(".verdict")).to_have_text("! defect")
    context.close()


@pytest.mark.parametrize(
    ("grey", "verdict", "said"),
    [
        (40, "✓ clean", "a 16% chance of having any defect. That is below its threshold of 30%"),
        (76, "✓ clean", "a 29.8% chance of having any defect. That is below its threshold of 30%"),
        (90, "✓ clean", "a 35% chance of having any defect. That reaches its threshold of 30%, so"),
        (250, "! defect", "a 98% chance of having any defect. That reaches its threshold of 30%"),
    ],
)
def test_a_verdict_is_explained_by_probability_and_threshold(
    open_page, tmp_path, grey, verdict, said
):
    images.write(tmp_path / "a.png", np.full((8, 16, 3), grey, dtype=np.uint8))
    with serving.running(serving.gated_app()) as where:
        page = open_page(where)
        drop(page, tmp_path / "a.png")
        expect(card(page, "a.png").locator(".verdict")).to_have_text(verdict)
        expect(card(page, "a.png").locator(".why")).to_contain_text(said)
        page.get_by_role("button", name="Русский").click()
        expect(card(page, "a.png").locator(".why")).to_contain_text(
            re.compile(r"(Порог|порога) 30\s*%")
        )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("gnp.\u202estrip.png", r"gnp.\u202estrip.png"),
        ("a\u200b\u00a0b.png", r"a\u200b\xa0b.png"),
        ("a\x07b c.png", r"a\x07b c.png"),
        ("полоса 钢.png", "полоса 钢.png"),
        ("a\U000e0041.png", r"a\U000e0041.png"),
    ],
)
def test_hidden_letters_of_names_are_written_out(open_page, tmp_path, name, shown):
    page = open_page()
    (tmp_path / name).write_text("no image", encoding="utf-8")
    drop(page, tmp_path / name)
    assert page.locator("#results h2").text_content() == shown
    assert page.locator("#results .warning").text_content().startswith(f"{shown} is not an image")


def test_names_are_shown_as_text_and_kept_from_spreadsheets(open_page, tmp_path):
    page = open_page()
    wicked = tmp_path / "=1+1,<img src=x onerror=alert(1)>.png"
    wicked.write_bytes(png(pits=2))
    drop(page, wicked)
    expect(page.locator("#results h2")).to_have_text(wicked.name)
    assert page.locator("#results img").count() == 0
    _, table = saved(page, "Table (CSV)")
    (row,) = csv.DictReader(io.StringIO(table.decode()))
    assert row["file"] == f"'{wicked.name}"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("plain", "plain"),
        ('a "b", c', '"a ""b"", c"'),
        ("-1+2", "'-1+2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (-0.123456789, "-0.123457"),
        (None, ""),
    ],
)
def test_cells_are_quoted(open_page, value, cell):
    page = open_page()
    assert page.evaluate("value => import('/tables.js').then(it => it.cell(value))", value) == cell


def test_the_keyboard_is_enough(open_page, pictures):
    page = open_page()
    # The browser takes a moment to hand its dialogs over: ask for that long before Enter.
    page.on("filechooser", lambda _: None)
    expect(page.locator("#model")).to_contain_text("bright")
    page.get_by_role("button", name="Choose images").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(str(pictures / "both.png"))
    expect(card(page, "both.png").locator(".verdict")).to_have_text("! defect")
    page.get_by_role("button", name="English").focus()
    reached = []
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
        if page.evaluate("document.activeElement.type") == "checkbox":
            page.keyboard.press("Space")
    assert {"Русский", "Choose images", "Table (CSV)", "Clear the list", "Mask (PNG)"} <= set(
        reached
    )
    expect(page.locator("[data-class=pit]")).to_be_hidden()


def test_the_page_speaks_russian_to_those_who_do(open_page, pictures):
    page = open_page(locale="ru-RU")
    drop(page, pictures / "both.png", pictures / "notes.txt")
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    expect(card(page, "both.png").locator(".verdict")).to_have_text("! дефект")
    expect(card(page, "notes.txt").locator(".warning")).to_have_text(
        "Этот файл не является изображением PNG, JPEG, BMP, TIFF или WebP."
    )
    page.get_by_role("button", name="English").click()
    expect(card(page, "both.png").locator(".verdict")).to_have_text("! defect")
    expect(page.locator("#status")).to_contain_text("With defects: 1")


def test_a_phone_is_wide_enough(open_page, pictures):
    for locale in ("en-GB", "ru-RU"):
        page = open_page(viewport=PHONE, locale=locale)
        long = pictures / f"{'a-very-long-name-' * 8}.png"
        shutil.copy(pictures / "both.png", long)
        drop(page, pictures / "both.png", long, pictures / "notes.txt")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        # A finger hits what is 40 pixels high.
        heights = page.locator("button:visible").evaluate_all(
            "all => all.map(one => one.offsetHeight)"
        )
        assert min(heights) >= 40


def test_a_token_is_asked_for(browser, open_page, pictures):
    with serving.running(serving.bright_app(token=TOKEN)) as locked:
        page = open_page(locked)
        expect(page.get_by_label("Token")).to_be_focused()
        expect(page.locator("#drop")).to_be_hidden()
        page.keyboard.type("something else")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("This is not the token of this server.")
        # What was wrong is selected, so that typing replaces it.
        expect(page.get_by_label("Token")).to_be_focused()
        page.keyboard.type(TOKEN)
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("button", name="Choose images")).to_be_focused()
        expect(page.get_by_label("Token")).to_be_hidden()
        drop(page, pictures / "clean.png")
        expect(card(page, "clean.png").locator(".verdict")).to_have_text("✓ clean")


def test_a_token_that_is_not_taken_any_more_is_said_in_words(open_page, pictures):
    with serving.running(serving.bright_app(token=TOKEN)) as locked:
        page = open_page(locked)
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator("#drop")).to_be_visible()
        refusal = {"error": {"code": "wrong_token", "message": "expected the header"}}
        page.route("**/predict*", lambda route: route.fulfill(status=401, json=refusal))
        drop(page, pictures / "clean.png")
        expect(card(page, "clean.png").locator(".warning")).to_have_text(
            "The server asks for another token. Load this page again to enter it."
        )


def test_a_busy_server_is_asked_again(open_page, pictures):
    predictor, one = Bright(), Limits(max_images=1, queue=1, timeout=20)
    predictor.go_on.clear()
    with serving.running(serving.bright_app(predictor, limits=one), one) as busy:
        page = open_page(busy)
        page.set_input_files("#files", [str(pictures / name) for name in ("both.png", "clean.png")])
        expect(page.locator("#status")).to_contain_text("The server is busy; trying again in 1 s")
        predictor.go_on.set()
        expect(page.locator("#status")).to_contain_text("With defects: 1. Clean: 1.")


def test_a_strip_is_judged_by_the_built_in_model(open_page, request):
    strips = [images.samples()[0]]
    if (folder := Path(os.environ.get("SDD_DATA", "../shared/data")) / "severstal").is_dir():
        strips.append(min((folder / "train_images").iterdir()))
    predictor = load_predictor(runtime="pytorch")
    with serving.running(create_app(predictor, read_model("strip").header), Limits()) as where:
        page = open_page(where)
        drop(page, *strips)
        for strip in strips:
            name, mask = saved(page, "Mask (PNG)", card(page, strip.name))
            said = predictor.predict(strip)
            np.testing.assert_array_equal(images.decode(mask, name)[..., 0], said.label_map)
            expect(card(page, strip.name).locator(".verdict")).to_contain_text(said.verdict)
