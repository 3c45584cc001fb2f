"""Check digits, money, dates, addresses."""

from __future__ import annotations

import pytest

from nlu import checks
from nlu.addresses import addresses
from nlu.dates import dates
from nlu.money import amounts
from nlu.normalise import normalise

from .conftest import NOW


def test_id_card_checksum_and_birth_date() -> None:
    assert checks.is_id_card("11010519491231002X")
    assert not checks.is_id_card("110105194912310021")  # wrong check character
    assert not checks.is_id_card("11010519491331002X")  # thirteenth month
    assert not checks.is_id_card("1101051949123100")
    assert not checks.is_id_card("１１０１０５１９４９１２３１００２X")


def test_bank_card_luhn() -> None:
    assert checks.is_bank_card("4111111111111111")
    assert not checks.is_bank_card("4111111111111112")
    assert not checks.is_bank_card("0000000000000000")
    assert checks.luhn("79927398713") and not checks.luhn("79927398710")


@pytest.mark.parametrize(
    ("number", "good"),
    [
        ("01088886666", True),
        ("4008001234", True),
        ("02155556666", True),
        ("12345678901", False),
        ("202611034567", False),
    ],
)
def test_landlines(number: str, good: bool) -> None:
    assert checks.is_landline(number) is good


@pytest.mark.parametrize(
    ("said", "yuan"),
    [
        ("三百块五", "300.5"),
        ("一百二十元", "120"),
        ("五毛", "0.5"),
        ("3块2毛5", "3.25"),
        ("九块九", "9.9"),
        ("1.5万元", "15000"),
        ("三万二千块", "32000"),
        ("￥1,299.50", "1299.5"),
        ("十块钱", "10"),
        ("一百多块", "100"),
        ("五块三个", "5"),
        ("九十九块九毛九", "99.99"),
    ],
)
def test_money(said: str, yuan: str) -> None:
    assert [a.yuan for a in amounts(normalise(said))] == [yuan]


@pytest.mark.parametrize("said", ["毛巾三条", "我们一块去", "等了三天", "3毛线"])
def test_no_money(said: str) -> None:
    assert amounts(normalise(said)) == []


def test_a_bare_number_is_money_only_when_an_amount_is_asked_for() -> None:
    assert amounts("200") == []
    assert [a.yuan for a in amounts("200", expected=True)] == ["200"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("昨天", [("date", "2026-11-22")]),
        ("下周三", [("date", "2026-12-02")]),
        ("十一月二十号", [("date", "2026-11-20")]),
        ("月底", [("date", "2026-11-26/2026-11-30")]),
        ("上个月买的", [("date", "2026-10-01/2026-10-31")]),
        ("三天前", [("date", "2026-11-20")]),
        ("明天下午三点半", [("date", "2026-11-24"), ("time", "2026-11-24T15:30")]),
        ("晚上八点", [("time", "20:00")]),
        ("双十一买的", [("date", "2026-11-11")]),
        ("昨天下的单今天还没发货", [("date", "2026-11-22"), ("date", "2026-11-23")]),
    ],
)
def test_dates(said: str, found: list[tuple[str, str]]) -> None:
    assert [(w.kind, w.value) for w in dates(normalise(said), NOW)] == found


@pytest.mark.parametrize(
    "said",
    ["五号楼", "三点水", "七天无理由", "13800138000", "202611034567", "什么时候", "订单号", "一点都不好", "二十四小时"],
)
def test_no_dates(said: str) -> None:
    assert dates(normalise(said), NOW) == []


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("改到深圳南山区科技园南路五号三栋一零二", "广东省深圳市南山区科技园南路五号三栋102"),
        ("地址改成杭州市西湖区文三路一百号吧", "浙江省杭州市西湖区文三路100号"),
        ("我住在幸福小区五号楼三单元", "幸福小区五号楼三单元"),
        ("我的地址写错了应该是成都市武侯区人民南路四段十一号", "四川省成都市武侯区人民南路四段11号"),
    ],
)
def test_addresses(said: str, value: str) -> None:
    text = normalise(said)
    (found,) = addresses(text)
    assert found.value == value
    assert text[found.start : found.end][-1] == value[-1]


@pytest.mark.parametrize(
    "said", ["我要改地址", "寄到我公司", "送到单位去", "新疆包邮吗", "快递员把东西扔在楼道里", "这条路上堵车"]
)
def test_no_addresses(said: str) -> None:
    assert addresses(normalise(said), expected=True) == []
