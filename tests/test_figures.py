import sys

import numpy as np
import pytest

from steel_defect_detection import figures, images
from steel_defect_detection.errors import ResultsError

ODD = ["$\\frac{", "a\nb\x1b[31m", "ä € 鋼", "\udcff", "", "x" * 300, "_^%&#{}~\\"]


def test_each_bar_has_its_length_its_name_and_its_number():
    figure = figures.bars([figures.Bars("images", {"pit": 1200, "scratch": 3})])
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [1200, 3]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["pit", "scratch"]
    assert [text.get_text() for text in axes.texts] == ["1,200", "3"]
    assert axes.get_title(loc="left") == "images"


def test_heat_maps_show_their_values_from_nothing_to_their_own_highest():
    values = np.array([[0.0, 0.25], [0.5, 0.125]])
    figure = figures.heat_maps({"pit": values, "none": np.zeros((2, 2))}, aspect=0.5)
    shown, empty = (axes.images[0] for axes in figure.axes[:2])
    assert np.array_equal(shown.get_array(), values)
    assert shown.get_clim() == (0, 0.5)
    assert empty.get_clim() == (0, 1)


def test_a_sheet_holds_each_picture_and_no_larger_than_it_can_be_seen():
    small = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    figure = figures.sheet({"small": small, "large": np.zeros((5000, 30, 3), dtype=np.uint8)})
    first, second = (axes.images[0].get_array() for axes in figure.axes[:2])
    assert np.array_equal(first, small)
    assert second.shape == (2000, 12, 3)


def test_a_picture_that_is_made_smaller_keeps_its_mean_grey():
    # One row of two, read by itself, would be black or white.
    lines = np.zeros((5000, 30, 3), dtype=np.uint8)
    lines[::2] = 255
    (axes,) = figures.sheet({"lines": lines}).axes
    shown = axes.images[0].get_array()
    assert shown.shape[0] == 2000
    assert np.abs(shown.astype(int) - 127).max() < 64


def test_a_confusion_has_the_truth_down_the_side_and_the_answers_across():
    axes, _ = figures.confusion(np.array([[3, 1], [0, 2]]), ("good", "pit")).axes
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("actual", "predicted")
    for labels in (axes.get_yticklabels(), axes.get_xticklabels()):
        assert [label.get_text() for label in labels] == ["good", "pit"]
    # A good image that was called a pit: in the row of the good, in the column of the pits.
    (text,) = [text for text in axes.texts if text.get_position() == (1, 0)]
    assert text.get_text() == "1\n25%"
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0, 1]]


def test_names_on_a_sheet_keep_their_lines_and_columns_can_be_set():
    picture = np.zeros((9, 9, 3), dtype=np.uint8)
    figure = figures.sheet({"a\nb\x1b": picture, "c": picture, "d": picture}, columns=2)
    assert figure.axes[0].get_title(loc="left") == "a\nb?"
    columns = [axes.get_subplotspec().colspan.start for axes in figure.axes]
    assert columns == [0, 1, 0, 1]


def test_an_explanation_is_coloured_alike_for_and_against():
    values = np.zeros((20, 20))
    values[0, :5], values[1, 0] = -3, 1
    figure = figures.explanation({"pit\n90 %": np.zeros((20, 20, 3), np.uint8)}, {"map": values})
    picture, heat, bar = figure.axes
    assert heat.images[0].get_clim() == (-3, 3)
    assert heat.images[0].get_array()[1, 0] == 1
    assert [axes.get_title(loc="left") for axes in (picture, heat)] == ["pit\n90 %", "map"]
    assert bar.get_ylabel().split() == ["against", "for"]


def test_the_colours_of_an_explanation_end_before_the_most_extreme_pixels():
    values = np.ones((100, 100))
    values[0, :10] = 1000
    figure = figures.explanation({"a": np.zeros((100, 100, 3), np.uint8)}, {"b": values})
    assert figure.axes[1].images[0].get_clim() == (-1, 1)


@pytest.mark.parametrize(("shape", "rows"), [((64, 64), [0, 0]), ((32, 256), [0, 1])], ids=str)
def test_strips_are_explained_below_each_other(shape, rows):
    figure = figures.explanation({"a": np.zeros((*shape, 3), np.uint8)}, {"b": np.zeros(shape)})
    assert [axes.get_subplotspec().rowspan.start for axes in figure.axes[:2]] == rows


PICTURE = np.zeros((9, 9, 3), dtype=np.uint8)
DRAW = {
    "an explanation": lambda: figures.explanation(
        {"\n".join(ODD): PICTURE}, {"\n".join(ODD): np.eye(9)}
    ),
    "plots": lambda: figures.plots(
        [figures.Plot(name, name, {name: (np.arange(3), np.arange(3))}, mark=1) for name in ODD]
    ),
    "gaps only": lambda: figures.plots(
        [figures.Plot("gaps", "x", {"a": (np.arange(3), np.full(3, np.nan))})]
    ),
    "bars": lambda: figures.bars([figures.Bars(name, {name: 1}) for name in ODD]),
    "no bars": lambda: figures.bars([figures.Bars("none", {})]),
    "many bars": lambda: figures.bars([figures.Bars("x", {str(n): n for n in range(100)})]),
    "maps": lambda: figures.heat_maps({name: np.ones((2, 2)) for name in ODD}, aspect=1),
    "sheet": lambda: figures.sheet(dict.fromkeys(ODD, PICTURE)),
    "a line": lambda: figures.sheet({"line": np.zeros((3, 3000, 3), dtype=np.uint8)}),
    "a tower": lambda: figures.sheet({"tower": np.zeros((3000, 3, 3), dtype=np.uint8)}),
}


@pytest.mark.parametrize("kind", DRAW)
def test_whatever_the_names_and_sizes_a_picture_is_written(kind, tmp_path):
    figures.write(tmp_path / "plot.png", DRAW[kind]())
    picture = images.read(tmp_path / "plot.png")
    assert picture.shape[1] == 1000
    assert np.ptp(picture) > 0


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        figures.write(tmp_path / name, figures.bars([figures.Bars("x", {"a": 1})]))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResultsError, match="cannot be written"):
        figures.write(tmp_path / "file" / "x.png", figures.bars([figures.Bars("x", {})]))


def test_no_state_of_pyplot_is_used(tmp_path):
    figures.write(tmp_path / "x.png", figures.bars([figures.Bars("x", {"a": 1})]))
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_curves_of_several_runs_are_their_mean_in_a_band_of_one_deviation():
    values = np.array([[1.0, 4.0, 9.0], [3.0, 4.0, np.nan]])
    (axes,) = figures.curves({"loss": {"train": values}}).axes
    assert axes.lines[0].get_ydata().tolist() == [2.0, 4.0, 9.0]
    edges = axes.collections[0].get_paths()[0].vertices
    heights = {
        round(x): sorted({round(float(y), 6) for at, y in edges if at == x}) for x in (1, 2, 3)
    }
    # By hand: the sample deviation of 1 and 3 is the root of 2; a single run has none.
    assert heights[1] == pytest.approx([2 - 2**0.5, 2 + 2**0.5], abs=1e-5)
    assert heights[2] == [4.0]
    assert heights[3] == [9.0]


def test_the_curve_of_one_run_has_no_band():
    (axes,) = figures.curves({"loss": {"train": [3.0, 2.0]}}).axes
    assert axes.lines[0].get_ydata().tolist() == [3.0, 2.0]
    assert not axes.collections


def test_a_panel_has_its_whole_title_and_ticks_at_whole_epochs():
    title = "validation_loss, mean ± standard deviation of 3 runs"
    figure = figures.curves({title: {"train": [3.0, 2.0]}})
    (axes,) = figure.axes
    figure.canvas.draw()
    assert axes.get_title(loc="left") == title
    assert all(tick == int(tick) for tick in axes.get_xticks())


def test_a_plot_shows_its_lines_the_diagonal_and_a_mark():
    across, up = np.array([0.0, 0.5, 1.0]), np.array([0.1, np.nan, 0.9])
    first = figures.Plot("so", "said", {"before": (across, up)}, diagonal=True)
    second = figures.Plot("cost", "threshold", {"a": (up, across), "b": (across, up)}, mark=0.3)
    upper, lower = figures.plots([first, second]).axes
    lines = {line.get_label(): line for line in upper.lines}
    assert list(lines) == ["as it should be", "before"]
    assert np.array_equal(lines["before"].get_ydata(), up, equal_nan=True)
    diagonal = lines["as it should be"]
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert (upper.get_title(loc="left"), upper.get_xlabel()) == ("so", "said")
    marks = {line.get_label(): line for line in lower.lines}
    assert list(marks) == ["threshold", "a", "b"]
    assert list(marks["threshold"].get_xdata()) == [0.3, 0.3]
    assert [text.get_text() for text in lower.get_legend().get_texts()] == ["threshold", "a", "b"]


def test_each_group_of_points_has_a_colour_of_its_own():
    random = np.random.default_rng(0)
    groups = {f"group {number}": random.normal(size=(4, 2)) for number in range(12)}
    (axes,) = figures.points("where they lie", groups).axes
    assert axes.get_title(loc="left") == "where they lie"
    assert len({tuple(line.get_color()) for line in axes.lines}) == 12
    assert [line.get_label() for line in axes.lines] == list(groups)
    assert np.array_equal(axes.lines[3].get_xydata(), groups["group 3"])
    assert {line.get_linestyle() for line in axes.lines} == {"None"}


def test_a_sheet_may_have_a_title():
    picture = np.zeros((10, 10, 3), dtype=np.uint8)
    figure = figures.sheet({"one": picture}, title="a sheet of one")
    assert figure.get_suptitle() == "a sheet of one"
    assert figures.sheet({"one": picture}).get_suptitle() == ""
