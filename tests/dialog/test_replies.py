"""Wordings: chunks, values, masks."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from common.errors import Misconfigured
from dialog.api import Channel
from dialog.replies import book
from tests.dialog.conftest import World
from tests.fakes.dialog_script import Caller

TODAY = date(2026, 11, 23)


def load(folder: Path, text: str) -> book.ReplyBook:
    path = folder / "p.yaml"
    path.write_text(text)
    return book.load(path, {"company": "云杉"})


def values(personal: frozenset[str] = frozenset(), **known: str) -> book.Values:
    return book.Values(known, personal, TODAY)


def test_fixed_chunks_stand_apart(tmp_path: Path) -> None:
    made = load(tmp_path, 'a: ["您好，这里是{company}。|您的{what}到了。再见"]\n')
    lines = made.render("a", 0, values(what="货"), voice=True)
    assert [(line.text, line.fixed) for line in lines] == [
        ("您好，这里是云杉。", True),
        ("您的货到了。", False),
        ("再见", True),
    ]
    assert made.fixed() == ("您好，这里是云杉。", "再见")


def test_forms_and_masks(tmp_path: Path) -> None:
    made = load(tmp_path, 'a: ["{phone:digits}|{fee:money}|{when:day}|{place}"]\n')
    known = values(
        frozenset({"phone", "place"}), phone="13900000001", fee="299.50", when="2026-11-24", place="文三路12号"
    )
    lines = made.render("a", 0, known, voice=True)
    assert [line.text for line in lines] == ["幺三九，零零零零，零零零幺", "299.5元", "明天", "文三路12号"]
    kept = "".join(line.logged for line in lines)
    assert "零零零零" not in kept and "0000" not in kept and "12号" not in kept
    assert [line.text for line in made.render("a", 0, known, voice=False)][0] == "139 0000 0001"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2026-11-22", "昨天"),
        ("2026-11-23", "今天"),
        ("2026-11-25", "后天"),
        ("2026-12-01", "12月1号"),
        ("2027-01-02", "2027年1月2号"),
    ],
)
def test_days(value: str, said: str) -> None:
    assert book.day(value, TODAY) == said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [x]\nb: 3\n", "prompt b"),
        ("a: {voice: [x]}\n", "prompt a: needs both `voice:` and `text:`"),
        ("a: []\n", "prompt a: has no wording"),
        ('a: ["{x:moneyy}"]\n', "no such form"),
        ('a: ["{x"]\n', "a brace that is no variable"),
    ],
)
def test_faulty_wordings_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        load(tmp_path, text)
    assert says in caught.value.message and "p.yaml" in caught.value.message


def test_knowledge_is_made_speakable() -> None:
    assert book.speakable("**先**看 https://a.example/b?c=1 ，再打电话") == "先看官网，再打电话"
    assert book.speakable("- [退货说明](https://a.example)") == "退货说明"
    text = "第一句话在这里。第二句话也在这里。" + "第三句话非常非常非常长。" * 3
    now, rest = book.breath(text, 20)
    assert now == "第一句话在这里。第二句话也在这里。" and now + rest == text
    assert book.breath("短。", 20) == ("短。", "")


async def test_what_voice_says_fixed_is_listed_and_has_no_links(world: World) -> None:
    dialog = world.build()
    caller = Caller(dialog, emotion=world.emotion)
    await caller.play("> 退货的运费谁出\n> 查订单\n> 二零二六\n> 幺幺零八零四幺七\n> 对\n> 没有了\n> 没解决\n> 不用")
    listed = set(await dialog.fixed_prompts())
    chunks = [chunk for answer in caller.answers for chunk in answer.chunks]
    assert {chunk.text for chunk in chunks if chunk.fixed} <= listed
    assert not any(chunk.text in listed for chunk in chunks if not chunk.fixed)
    assert all(answer.chunks[0].fixed for answer in caller.answers)  # speech begins from the cache
    assert not any("http" in text or "{" in text for text in listed) and len(listed) > 100


async def test_wordings_take_turns(world: World) -> None:
    caller = Caller(world.build(), channel=Channel.PHONE)
    await caller.open()
    said = [(await caller.say("满多少包邮")).chunks[-1].text for _ in range(4)]
    assert len(set(said[:3])) == 3 and said[3] == said[0]
