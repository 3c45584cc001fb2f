"""Masking: what must go, what must stay, and that doing it twice changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.privacy import mask, mask_number


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("我的手机是13800138000", "13800138000"),
        ("我的手机是幺三八零零幺三八零零零谢谢", "零零幺三八零零"),
        ("电话 138-0013-8000", "0013"),
        ("+86 13912345678", "12345"),
        ("固话010-62345678", "623456"),
        ("身份证11010519491231002X", "19491231"),
        ("身份证一一零一零五一九四九一二三一零零二", "一九四九"),
        ("卡号6222 0212 3456 7890 123", "3456"),
        ("邮箱是zhang.san@example.com.cn", "zhang.san"),
        ("我叫张伟，住在北京", "张伟"),
        ("收件人是欧阳锋，电话", "欧阳锋"),
        ("李小明先生您好", "李小明"),
        ("我是王建国", "王建国"),
    ],
)
def test_personal_data_goes(text: str, hidden: str) -> None:
    masked = mask(text)
    assert hidden not in masked
    assert "*" in masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "订单号202611030001",
        "二零二六一一零三零零零一",
        "我是王先生",
        "这款黄金会员价格是二百五",
        "一共三百二十五块六",
        "我是来退货的",
        "2026-11-23 到货",
        "trace 8f3a1c2b9d0e1f22",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert mask(text) == text


@given(st.text(alphabet="0123456789零一二三幺八 -我叫张伟先生，。ab@.xX", max_size=60))
def test_masking_twice_is_masking_once(text: str) -> None:
    once = mask(text)
    assert mask(once) == once


def test_a_known_value_keeps_its_length() -> None:
    assert mask_number("13800138000") == "138******00"
    assert mask_number("12345") == "1***5"
    assert mask_number("12") == "**"
