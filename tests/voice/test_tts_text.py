"""How written text is read aloud, and where it may be cut. Nothing written is ever lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_gateway.tts.clauses import units
from voice_gateway.tts.text import MARKS, is_hanzi, speakable, spoken, unspoken

READINGS = {
    # quantities
    "0": "零",
    "共3件": "共三件",
    "12": "十二",
    "105元": "一百零五元",
    "1,234.5": "一千二百三十四点五",
    "3.14": "三点一四",
    "100万": "一百万",
    "1.2亿": "一点二亿",
    "20000元": "两万元",
    "2000": "两千",
    "100000000元": "一亿元",
    "-3℃": "负三摄氏度",
    # 二 or 两
    "2个": "两个",
    "2天": "两天",
    "第2个": "第二个",
    "2月2日": "二月二日",
    "2号": "二号",
    "2楼": "二楼",
    "2点半": "两点半",
    # money
    "¥1,234.50元": "一千二百三十四点五元",
    "￥99": "九十九元",
    "99.00元": "九十九元",
    "$20": "二十美元",
    "¥1.2万": "一点二万元",
    "满200减20": "满两百减二十",
    # percent, fractions, ratios, ranges, products
    "95%": "百分之九十五",
    "100%": "百分之百",
    "0.5%": "百分之零点五",
    "3‰": "千分之三",
    "1/2": "二分之一",
    "3:1": "三比一",
    "3-5个工作日": "三到五个工作日",
    "50%-60%": "百分之五十到百分之六十",
    "10~20元": "十到二十元",
    "3～5天": "三到五天",
    "7×24小时": "七乘二十四小时",
    "85折": "八五折",
    "8折": "八折",
    # dates and times
    "2026年11月23日": "二零二六年十一月二十三日",
    "2026-11-03": "二零二六年十一月三日",
    "2026/1/5前": "二零二六年一月五日前",
    "9:05": "九点零五分",
    "18:00": "十八点",
    "12:30:05": "十二点三十分零五秒",
    "9:00-18:00": "九点到十八点",
    "2026年度": "二零二六年度",
    # digit by digit
    "13800138000": "幺三八，零零幺三，八零零零",
    "+86 138-0013-8000": "加八六，幺三八，零零幺三，八零零零",
    "400-820-8820": "四零零，八二零，八八二零",
    "010-12345678": "零幺零，幺二三四五六七八",
    "拨打95588": "拨打九五五八八",
    "138****8000": "幺三八，隐去四位，八零零零",
    "订单号202611230045": "订单号二零二六，幺幺二三，零零四五",
    "验证码：482913": "验证码：四八二九幺三",
    "尾号0012": "尾号零零幺二",
    "尾号是1234": "尾号是幺二三四",
    "12345678": "幺二三四五六七八",
    "1203室": "幺二零三室",
    "0571": "零五七幺",
    # letters and words
    "VIP": "V I P",
    "WiFi": "WiFi",
    "APP": "A P P",
    "U盘": "U盘",
    "iPhone 15": "iPhone 十五",
    "SF1234567890": "S F 幺二三四，五六七八九零",
    "5G": "五 G",
    "Type-C接口": "Type C接口",
    "a@b.com": "A 艾特 B 点 com",
    "www.example.com": "W W W 点 example 点 com",
    "V2.0": "V 二点零",
    "192.168.1.1": "一九二点一六八点一点一",
    # units
    "5kg": "五公斤",
    "2.5KM": "二点五公里",
    "100m²": "一百平方米",
    "20GB": "二十G",
    "60km/h": "六十公里每小时",
    # signs and marks
    "按#键": "按井号键",
    "按*键": "按星号键",
    "H&M": "H和M",
    "《手册》": "“手册”",
    "好……": "好…",
    "你好😀": "你好",
    "一 二": "一 二",
    "第一行\n第二行": "第一行，第二行",
    "０１２Ａ": "零幺二 A",
    "十一杠二十三": "十一杠二十三",
    "11-23": "十一杠二十三",
}


@pytest.mark.parametrize(("written", "said"), READINGS.items())
def test_reading(written: str, said: str) -> None:
    assert spoken(written) == said
    assert "".join(piece.written for piece in speakable(written)) == written


@given(st.text(alphabet=st.sampled_from("一二3４0,.:-/%¥元年月日号aZ @#*，。！？\n…😀é個＋²") | st.characters()))
def test_nothing_is_lost_and_only_sayable_things_are_said(text: str) -> None:
    pieces = speakable(text)
    assert "".join(piece.written for piece in pieces) == text
    for char in spoken(text):
        assert is_hanzi(char) or char.isalpha() or char in MARKS or char in " '’", repr(char)
    cut = units(text)
    assert "".join(unit.written for unit in cut) == text


def test_what_cannot_be_said_is_known() -> None:
    assert unspoken(speakable("你好😀，世界🎉。")) == "😀🎉"
    assert unspoken(speakable("您好——（测试）~")) == ""


def test_the_first_unit_is_short_and_sentences_stay_whole() -> None:
    cut = units("好的，我来帮您查一下。您的订单已发货，预计明天下午送达，请保持电话畅通。如有问题请随时联系我们！")
    assert [unit.written for unit in cut] == [
        "好的，我来帮您查一下。",
        "您的订单已发货，预计明天下午送达，请保持电话畅通。",
        "如有问题请随时联系我们！",
    ]
    assert [unit.mark for unit in cut] == ["。", "。", "！"]


def test_a_long_sentence_is_cut_at_marks_only() -> None:
    clause = "这一句话没有标点说得很长很长，"
    cut = units(clause * 10)
    assert len(cut) > 3 and all(unit.written.endswith("，") for unit in cut)


def test_a_text_without_marks_is_still_bounded() -> None:
    assert max(len(unit.pieces) for unit in units("好" * 1000)) <= 200


def test_marks_alone_are_one_unit_that_says_nothing() -> None:
    (unit,) = units("……。，")
    assert not unit.sayable


def test_a_closing_quote_stays_with_its_sentence() -> None:
    assert [
        unit.written for unit in units("他说：“我们今天下午就会给您发货。”然后他就把电话挂断了。", first=4, later=14)
    ][-1] == ("然后他就把电话挂断了。")
