from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.normalise import normalise
from nlu.numbers import normalise_numbers, to_digits, value


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("一百二十三", "123"),
        ("一二三", "123"),
        ("我的订单号是二零二六幺幺零三四五六", "我的订单号是20261103456"),
        ("幺洞洞八六", "10086"),
        ("两百零五点五", "205.5"),
        ("一万二", "12000"),
        ("三万二千五", "32500"),
        ("两千五百块", "2500块"),
        ("1.5万", "15000"),
        ("百分之二十五点五", "25.5%"),
        ("百分之五", "5%"),
        ("十一月二十号", "11月20号"),
        ("二零二六年", "2026年"),
        ("下午三点二十", "下午三点20"),
        ("三点五公里", "3.5公里"),
    ],
)
def test_numbers_become_digits(said: str, written: str) -> None:
    assert normalise_numbers(said) == written


@pytest.mark.parametrize(
    "said",
    ["十分满意", "万一坏了", "千万别", "两三天", "三三两两", "等一下", "双十一买的", "三个", "一五一十", "几十块"],
)
def test_words_that_hold_numerals_stay(said: str) -> None:
    assert normalise_numbers(said) == said


@pytest.mark.parametrize(
    ("said", "number"),
    [("一百二", "120"), ("三点五", "3.5"), ("两", "2"), ("12.5", "12.5"), ("幺零", "10"), ("百千", None)],
)
def test_value(said: str, number: str | None) -> None:
    assert value(said) == number


def test_width_spaces_and_invisible_characters() -> None:
    assert normalise("ＡＢＣ　１２３") == "ABC 123"
    assert normalise("我 的 订单 号 是 二 零 二 六") == "我的订单号是2026"
    assert normalise("a\u200bb\u0000") == "ab"
    assert normalise("好，谢谢！") == "好，谢谢！"
    assert normalise("wi fi 连不上") == "wi fi连不上"


def test_digits_one_by_one() -> None:
    assert to_digits("幺三八零洞") == "13800"


@given(st.text(alphabet="零一幺二两三四五六七八九十百千万亿点百分之号月日个块0123456789.% ，买货", max_size=40))
def test_normalising_anything_never_fails_and_adds_nothing_but_digits(text: str) -> None:
    once = normalise(text)
    assert not set(once) - set(text) - set("0123456789.%")


@given(st.integers(0, 10**12 - 1))
def test_dictated_digits_are_kept_one_for_one(number: int) -> None:
    digits = f"{number:012d}"
    spoken = "".join("零幺二三四五六七八九"[int(d)] for d in digits)
    assert normalise(f"号码是{spoken}") == f"号码是{digits}"
