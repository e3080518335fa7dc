"""Read a report as a browser would, strictly, and check what every report promises."""

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np

# Only elements of drawings may close themselves.
VOID, DRAWN = {"meta", "img"}, {"rect", "line", "path"}


class Page(HTMLParser):
    """A page that was taken apart; elements that are not closed in turn are an error.

    Attributes:
        elements: Tag and attributes, in order.
        tables: Texts of cells by row, by caption.
        text: All text but that of style and script.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.text = ""
        self._open: list[str] = []
        self._rows: list[list[str]] = []
        self._caption = ""
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self._note(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag == "tr":
            self._rows.append([])
        if tag in {"th", "td"}:
            self._rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        assert tag in DRAWN
        self._note(tag, attrs)

    def _note(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute of <{tag}> stands there twice"
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag == "table":
            self.tables[self._caption] = [[cell.strip() for cell in row] for row in self._rows]

    def handle_data(self, data):
        if not {"style", "script"} & set(self._open):
            self.text += data
        if "caption" in self._open:
            self._caption += data
        elif {"th", "td"} & set(self._open):
            self._rows[-1][-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def read(html: str) -> Page:
    """Take a report apart and check what every report promises."""
    page = Page(html)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        assert link["href"].removeprefix("#") in ids
    for picture in page.all("img"):
        assert picture["alt"]
        kind, data = picture["src"].split(",")
        assert re.fullmatch(r"data:image/(png|jpeg);base64", kind)
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape[:2] == (int(picture["height"]), int(picture["width"]))
    names = {name for _, attributes in page.elements for name in attributes}
    assert not [name for name in names if name.startswith("on") or name in {"style", "srcset"}]
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {
        name for name, _ in page.elements
    }
    assert len(page.all("script")) == len(page.all("style")) == 1
    assert re.search(r"@import|url\(", html) is None
    return page


def addresses(html: str) -> list[str]:
    """Whatever looks like an address outside of the file."""
    return re.findall(r"(?i)\b(?:https?|ftp|file):|[\"'(]//", html)
