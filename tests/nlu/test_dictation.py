from __future__ import annotations

import pytest

from nlu.dictation import Dictation, dictation
from nlu.normalise import normalise


def said(text: str, *, expected: bool = True) -> Dictation | None:
    return dictation(normalise(text), expected=expected)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("二零二六 嗯 幺幺零三，四五六七", "202611034567"),
        ("幺三八 零零幺三 八零零零", "13800138000"),
        ("138-0013-8000", "13800138000"),
        ("幺三八三个零", "138000"),
        ("三个八", "888"),
        ("五", "5"),
        ("后面是三四五", "345"),
        ("要三八零零", "13800"),
        ("二零二六林幺", "202601"),
        ("七十八", "78"),
        ("一一零一零一一九九零零三零七二三七叉", "11010119900307237X"),
    ],
)
def test_digits_while_a_number_is_expected(text: str, digits: str) -> None:
    found = said(text)
    assert found is not None and found.digits == digits


@pytest.mark.parametrize("text", ["等一下", "一个", "我一个人", "我买了两件衣服", "我要退货", "是", "我昨天买的"])
def test_ordinary_words_are_no_dictation(text: str) -> None:
    assert said(text) is None


@pytest.mark.parametrize("text", ["五", "六六六", "两个六", "要三百块"])
def test_short_numbers_are_only_believed_when_expected(text: str) -> None:
    assert said(text, expected=False) is None


@pytest.mark.parametrize(
    ("text", "digits", "wrong", "position"),
    [
        ("不是三是四", "4", "3", ""),
        ("不是，是幺三八一二三四五六七八", "13812345678", "", ""),
        ("最后一位是五", "5", "", "-1:"),
        ("最后一位是九不是六", "9", "6", "-1:"),
        ("第三位是七不是一", "7", "1", "2:3"),
        ("倒数第二位是七", "7", "", "-2:-1"),
        ("后四位是三四五六", "3456", "", "-4:"),
        ("前三位是幺三九", "139", "", ":3"),
        ("尾号是三四五六", "3456", "", "-4:"),
        ("把六改成九", "9", "6", ""),
    ],
)
def test_corrections(text: str, digits: str, wrong: str, position: str) -> None:
    found = said(text)
    assert found is not None
    assert (found.digits, found.wrong, found.position) == (digits, wrong, position)


def test_a_position_is_a_slice_of_the_earlier_number() -> None:
    number = "13800138006"
    found = said("倒数第二位是七")
    assert found is not None
    start, _, end = found.position.partition(":")
    assert number[int(start) : int(end) if end else None] == "0"


def test_a_correction_counts_even_when_no_number_is_expected() -> None:
    found = said("不是三是四", expected=False)
    assert found is not None and found.wrong == "3"


def test_the_span_covers_what_was_said() -> None:
    text = normalise("我的订单号是二零二六幺幺零三四五六")
    found = dictation(text, expected=False)
    assert found is not None and text[found.start : found.end] == "20261103456"
