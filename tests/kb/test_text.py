"""Words, syllables, sentences; fusion and wording."""

from __future__ import annotations

import pytest

from kb import text
from kb.ranking import Weigher
from kb.readers.chunks import LONGEST, SHORTEST, chunks
from kb.spelling import Spelling
from kb.stores.fusion import fuse
from kb.wording import best_sentences, spoken_part


@pytest.mark.parametrize(
    ("one", "other"), [("七天无理由退货", "7天无理由退货"), ("二十四小时", "24小时"), ("Ｓ１　Ｐｒｏ", "s1 pro")]
)
def test_same_words(one: str, other: str) -> None:
    assert text.words(one) == text.words(other)


def test_words_leave_out_what_says_little() -> None:
    assert text.words("请问我怎么申请退货呢") == ("申请", "退货")
    assert "为什么" in text.words("为什么")
    assert text.words("？！") == ()
    assert text.words("百百万万") != ()


@pytest.mark.parametrize(("said", "heard"), [("退货", "腿获"), ("收货", "受获"), ("城市", "曾似"), ("名字", "民自")])
def test_confusable_syllables_are_the_same(said: str, heard: str) -> None:
    assert text.syllables(said) == text.syllables(heard)


def test_cache_key_ignores_politeness_but_not_content() -> None:
    assert text.cache_key("喂，你好，请问怎么退货呀？") == text.cache_key("怎么退货")
    assert text.cache_key("2.4G") != text.cache_key("24G")
    assert text.cache_key("嗯") == "嗯"


def test_sentences_keep_their_marks() -> None:
    assert text.sentences("说“好的。”然后走！真的？\n是；对") == ["说“好的。”", "然后走！", "真的？", "是；", "对"]
    assert list(text.pieces("一二三。四五六。七八九。", 8)) == ["一二三。四五六。", "七八九。"]


def test_chunks_are_even_and_whole() -> None:
    source = "".join(f"这是第{i}个句子，它说了一些事情。" for i in range(60))
    found = chunks(source)
    assert "".join(found) == source
    assert all(SHORTEST <= len(chunk) <= LONGEST and chunk.endswith("。") for chunk in found)
    assert chunks("短。\n\n很短。") == ["短。\n很短。"] and chunks(" \n ") == []
    assert [len(chunk) for chunk in chunks("长" * 1000)] == [1000]


def test_fusion_prefers_what_several_searches_agree_on() -> None:
    lists = (["once", "a", "twice", "thrice"], ["b", "c", "d", "thrice"], ["e", "f", "twice", "thrice"])
    assert fuse(lists, 3) == ["thrice", "twice", "once"]
    assert fuse((), 3) == fuse(([], []), 3) == []


def test_rare_words_weigh_more() -> None:
    weigh = Weigher({"滤芯": 2, "商品": 90}, 100)
    assert weigh("未知") > weigh("滤芯") > weigh("商品") > 0
    assert weigh.share(["滤芯", "商品"], {"滤芯"}) > 0.8
    assert weigh.share([], {"滤芯"}) == 0


def test_spoken_part_is_the_first_paragraph() -> None:
    assert spoken_part("\n短答。\n\n详细说明。") == "短答。"


def test_best_sentences_are_short_and_in_order() -> None:
    parts = ["E1表示风机故障；", "E2表示背板没有扣好，", "请重新安装。", "E4表示温度过高。"]
    assert best_sentences(("e2",), parts, [0.1, 0.5, 0.45, 0.1], 12) == "E2表示背板没有扣好。"
    assert best_sentences(("e2",), parts, [0.1, 0.1, 1.2, 0.1], 90) == "E2表示背板没有扣好，请重新安装。"
    long = "首先请打开应用，然后点右下角的我的，再点账户与安全，最后点注销账户"
    assert best_sentences((), [long], [1.0], 20) == "首先请打开应用，然后点右下角的我的。"
    assert best_sentences((), [], [], 20) == ""


def test_misheard_words_are_put_right_and_real_words_left_alone() -> None:
    spelling = Spelling({"退货": 3, "推获": 1, "发票": 2, "滤芯": 5, "会员": 2, "净化器": 3, "a": 1, "xy": 1})
    assert spelling.corrected("腿货怎么申请") == "退货怎么申请"
    assert spelling.corrected("进化期的滤新") == "进化期的滤芯"  # 进化 is a word
    assert spelling.corrected("尽化气坏了 ok") == "净化器坏了 ok"
    assert spelling.corrected("委员会员") == "委员会员"
    assert Spelling({"发票": 1}, {"发票": ("x", "y")}).corrected("法票") == "法票"  # earlier sounds are used
    assert Spelling({}).corrected("腿货") == "腿货"
