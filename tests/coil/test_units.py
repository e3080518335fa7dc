from steel_defect_detection.coil import Units


def test_lengths_are_in_millimetres_where_pixels_have_a_size():
    units = Units(0.5)
    assert (units.name, units.part, units.part_name) == ("mm", 2000, "metre")
    assert units.number(3141.6) == 1570.8
    assert units.pixels(100) == 200
    assert units.short(13) == "6.5 mm"
    assert units.long(2400) == "1.2 m"


def test_lengths_are_in_pixels_elsewhere():
    units = Units()
    assert (units.name, units.part, units.part_name) == ("px", 1000, "1,000 px")
    assert units.number(3141.6) == 3141.6
    assert units.pixels(100) == 100
    assert units.pixels(None) is None
    assert units.long(2400) == "2,400 px"
