"""Dictated numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog import digits
from dialog.digits import Fix

NUMBER = "202611080419"


@pytest.mark.parametrize(
    ("text", "dictating", "found"),
    [
        ("幺三八 零零一二", False, "1380012"),
        ("两个八三个零", False, "88000"),
        ("2026 1108", False, "20261108"),
        ("零四幺久", True, "0419"),
        ("二零二流幺幺零吧", True, "20261108"),
        ("久等了", True, ""),
        ("嗯那个零四幺七", True, "0417"),
    ],
)
def test_reading(text: str, dictating: bool, found: str) -> None:
    assert digits.read(text, dictating=dictating) == found


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("不对，最后一位是七", Fix("202611080417")),
        ("最后两位是三五", Fix("202611080435")),
        ("第三位是五", Fix("205611080419")),
        ("倒数第二位是七", Fix("202611080479")),
        ("不是九是七", Fix("202611080417")),
        ("是七不是九", Fix("202611080417")),
        ("不是一是二", Fix(old="1", new="2")),
        ("不对，是零四一七", Fix("202611080417")),
        ("不是，是二零二六幺幺零三零九二六", Fix("202611030926")),
        ("前四位是二零二五", Fix("202511080419")),
        ("把九改成七", Fix("202611080417")),
        ("尾号是0417", Fix("202611080417")),
        ("不对", None),
        ("零四一七", None),
        ("第二十位是七", None),
    ],
)
def test_corrections(text: str, fix: Fix | None) -> None:
    assert digits.correct(NUMBER, text) == fix


@pytest.mark.parametrize(
    ("where", "number"),
    [
        ("第十位", ""),
        ("第十一位", "202611080429"),
        ("最后一个", "202611080429"),
        ("第一个", "202621080419"),
        ("嗯", ""),
    ],
)
def test_the_place_of_a_digit(where: str, number: str) -> None:
    assert digits.place(NUMBER, "1", "2", where) == number


@pytest.mark.parametrize(
    ("known", "text", "now"),
    [
        ("", "二零二六", "2026"),
        ("2026", "幺幺零八", "20261108"),
        ("20261108", "零八零四幺九", NUMBER),
        ("2026", "二零二六幺幺零八零四幺九", NUMBER),
        ("20261108", "零四幺七不对零四幺九", NUMBER),
        ("2026", "二零二六幺幺零八", "20261108"),
        ("2026", "没有了", "2026"),
    ],
)
def test_collecting(known: str, text: str, now: str) -> None:
    assert digits.collect(known, text, 12) == now


@given(st.text(alphabet="0123456789", min_size=12, max_size=12), st.lists(st.integers(1, 11), max_size=4))
def test_any_way_of_cutting_a_number_gives_the_number(number: str, cuts: list[int]) -> None:
    known = ""
    places = [0, *sorted(set(cuts)), 12]
    for start, end in zip(places, places[1:], strict=False):
        spoken = "".join("零幺二三四五六七八九"[int(c)] for c in number[start:end])
        known = digits.collect(known, spoken, 12)
    assert known == number


def test_read_back_and_distance() -> None:
    assert digits.aloud(NUMBER) == "二零二六，幺幺零八，零四幺九"
    assert digits.aloud("13900000001") == "幺三九，零零零零，零零零幺"
    assert digits.distance(NUMBER, "202611080417") == 1
    assert digits.distance(NUMBER, "20261108041") == 1
    assert digits.star("幺三八-12号楼") == "***-**号楼"
