"""Engines and what decides between them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.embedding import sentence_encoder
from common.errors import Misconfigured
from nlu.api import INFORM, OUT_OF_SCOPE, Entity, Intent
from nlu.decide import decide
from nlu.engines.examples import ExampleIntents
from nlu.engines.phrases import PhraseIntents
from nlu.engines.rules import RuleEntities
from nlu.factory import labelled
from nlu.normalise import normalise
from nlu.overlaps import resolve
from nlu.phonetic import Repairer, fuzzy, syllables
from nlu.segment import Segmenter

from .conftest import NOW

RULES = RuleEntities(("空气净化器",))


def found(text: str, slot: str = "") -> dict[str, str]:
    entities = resolve(RULES.extract(normalise(text), expected_slot=slot, now=NOW))
    return {entity.type: entity.value for entity in reversed(entities)}


@pytest.mark.parametrize(
    ("text", "slot", "values"),
    [
        ("我的订单号是二零二六幺幺零三四五六七", "", {"order_number": "202611034567"}),
        ("我的电话是幺三八零零幺三八零零零", "", {"phone": "13800138000"}),
        ("+86 138 0013 8000", "", {"phone": "13800138000"}),
        ("身份证11010519491231002x", "", {"id_card": "11010519491231002X"}),
        ("卡号4111 1111 1111 1111", "", {"bank_card": "4111111111111111"}),
        ("邮箱是zhangsan艾特一六三点com", "", {"email": "zhangsan@163.com"}),
        ("昨天买的空气净化器花了三百块五", "", {"date": "2026-11-22", "product": "空气净化器", "money": "300.5"}),
        ("我叫张小明", "", {"person": "张小明"}),
        ("李小红", "receiver_name", {"person": "李小红"}),
        ("买了三个", "", {"number": "3"}),
        ("二", "", {"number": "2"}),
        ("等了一个星期", "", {}),
        ("二零二六幺幺零三", "order_number", {"digits": "20261103"}),
        ("不是三是四", "", {"digits": "4", "wrong_digits": "3"}),
        ("我要退货", "", {}),
    ],
)
def test_entities(text: str, slot: str, values: dict[str, str]) -> None:
    assert found(text, slot) == values


def test_while_a_number_is_expected_its_digits_come_beside_what_it_is() -> None:
    assert found("幺三八零零幺三八零零零", "phone") == {"phone": "13800138000", "digits": "13800138000"}
    assert found("幺三八零零幺三八零零零", "order_number")["digits"] == "13800138000"
    assert found("三零二六幺幺零三四五六七", "order_number")["order_number"] == "302611034567"
    assert "order_number" not in found("三零二六幺幺零三四五六七")


def test_the_stronger_kind_keeps_a_place() -> None:
    date = Entity("date", "2026-01-01", "x", 0, 8, 0.9)
    order = Entity("order_number", "202601011234", "x", 0, 12, 0.9)
    number = Entity("number", "1", "x", 20, 21, 0.4)
    assert resolve([number, date, order]) == (order, number)


PHRASES = PhraseIntents(labelled(None, "phrases.yaml"))


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("好的谢谢再见", "goodbye"),
        ("对解决了", "solved"),
        ("不用了谢谢", "deny"),
        ("嗯，好的。", "affirm"),
        ("你好转人工", "human_agent"),
        ("转仁工", "human_agent"),
        ("部用了", "deny"),
        ("没解觉", "not_solved"),
        ("OK", "affirm"),
        ("是", "affirm"),
        ("那个等一下啊", "wait"),
    ],
)
def test_phrases(text: str, intent: str) -> None:
    assert [i.name for i in PHRASES.classify(text)] == [intent]


@pytest.mark.parametrize("text", ["四", "我要退货", "好吃吗", "不是这个颜色"])
def test_no_phrase(text: str) -> None:
    assert PHRASES.classify(text) == []


def test_sound_and_repair() -> None:
    assert syllables("退货") == syllables("推货")
    assert fuzzy("zhuang") == fuzzy("zuan") and fuzzy("lan") == fuzzy("nan")
    repairer = Repairer(Counter({"退货": 9, "收货": 9}), lambda word: 9999 if word == "收获" else 0)
    assert repairer.repair("我要推货") == "我要退货"
    assert repairer.repair("收获") == "收获"  # a common word is taken as meant
    assert repairer.repair("abc推货12") == "abc退货12"


SMALL = {
    "return_request": ["我要退货", "这个想退掉", "怎么退货", "帮我退货"],
    "invoice": ["开发票", "发票怎么开", "我要发票", "能开票吗"],
    OUT_OF_SCOPE: ["今天天气怎么样", "讲个笑话", "唱首歌", "几点的飞机"],
}


def test_examples_are_learnt_and_read_back_from_the_cache(tmp_path: Path) -> None:
    fresh = ExampleIntents(SMALL, sentence_encoder(), Segmenter(), tmp_path)
    assert fresh.classify("麻烦办个退货")[0].name == "return_request"
    assert fresh.classify("给我一张发飘")[0].name == "invoice"
    (kept,) = tmp_path.iterdir()
    again = ExampleIntents(SMALL, sentence_encoder(), Segmenter(), tmp_path)
    first, second = fresh.classify("想退了它"), again.classify("想退了它")
    assert [i.name for i in first] == [i.name for i in second]
    assert first[0].confidence == pytest.approx(second[0].confidence, abs=1e-5)
    assert sum(i.confidence for i in second) == pytest.approx(1.0, abs=1e-4)
    ExampleIntents({**SMALL, "exchange": ["换货"]}, sentence_encoder(), Segmenter(), tmp_path).warm_up()
    assert len(list(tmp_path.iterdir())) == 2 and kept.exists()


def test_examples_that_cannot_be_learnt_are_the_operators_fault(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        ExampleIntents({"one": ["a"]}, sentence_encoder(), Segmenter())
    bad = tmp_path / "bad.yaml"
    bad.write_text("affirm: [yes, no]", encoding="utf-8")
    with pytest.raises(Misconfigured, match="affirm"):
        labelled(bad, "phrases.yaml")
    with pytest.raises(Misconfigured, match=r"none\.yaml"):
        labelled(tmp_path / "none.yaml", "phrases.yaml")


DIGITS = Entity("digits", "4", "4", 4, 5)
RANKING = [Intent("return_request", 0.8), Intent("refund_request", 0.1), Intent(OUT_OF_SCOPE, 0.05)]


@pytest.mark.parametrize(
    ("text", "phrases", "ranking", "entities", "intent"),
    [
        ("好的", [Intent("affirm", 0.97)], [], [], "affirm"),
        ("我要退货", [], RANKING, [], "return_request"),
        ("我要退货", [], [Intent("return_request", 0.2)], [], OUT_OF_SCOPE),
        ("讲个笑话", [], [Intent(OUT_OF_SCOPE, 0.9), *RANKING], [], OUT_OF_SCOPE),
        ("不是，是4", [], RANKING, [DIGITS], "correction"),
        ("嗯是我的4", [], RANKING, [DIGITS], INFORM),
        ("我要退货4", [], RANKING, [DIGITS], "return_request"),
        ("二", [], RANKING, [Entity("number", "2", "二", 0, 1)], INFORM),
        ("我要退二", [], RANKING, [Entity("number", "2", "二", 3, 4)], "return_request"),
        ("好4", [Intent("affirm", 0.97)], RANKING, [Entity("digits", "4", "4", 1, 2)], INFORM),
    ],
)
def test_decision(text: str, phrases: list[Intent], ranking: list[Intent], entities: list[Entity], intent: str) -> None:
    decided, alternatives = decide(text, phrases, ranking, entities, 0.4)
    assert decided.name == intent
    assert OUT_OF_SCOPE not in {a.name for a in alternatives} and decided.name not in {a.name for a in alternatives}


def test_segmentation_keeps_the_tenants_words_and_marks_stop_words() -> None:
    plain, own = Segmenter(), Segmenter(["晓荷智能锅"])
    assert "晓荷智能锅" in [t.text for t in own.segment("晓荷智能锅的保修")]
    assert "晓荷智能锅" not in [t.text for t in plain.segment("晓荷智能锅的保修")]
    tokens = {t.text: t for t in plain.segment("我的订单")}
    assert tokens["的"].stop and not tokens["订单"].stop and tokens["订单"].pos.startswith("n")


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="我要退货订单号是二零三百块五毛昨天下周一号楼13800@x.，不改成第位最后个路区市X ", max_size=40))
def test_any_text_gives_values_that_lie_within_it(text: str) -> None:
    clean = normalise(text)
    for slot in ("", "order_number", "address", "amount"):
        for entity in resolve(RULES.extract(clean, expected_slot=slot, now=NOW)):
            assert 0 <= entity.start < entity.end <= len(clean)
            assert entity.value
