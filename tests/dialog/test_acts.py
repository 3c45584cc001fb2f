"""What short utterances do."""

from __future__ import annotations

import pytest

from dialog.acts import Act, is_question, read, repeats, wants_it_done


@pytest.mark.parametrize(
    ("text", "acts"),
    [
        ("对", {Act.YES}),
        ("对的。", {Act.YES}),
        ("嗯，对", {Act.YES}),
        ("提交吧，可以", {Act.YES}),
        ("对，就是那个耳机", {Act.YES}),
        ("对了，运费多少钱", set()),
        ("好的，不用了", {Act.NO, Act.NOTHING_ELSE}),
        ("不对，最后一位是九", {Act.NO}),
        ("没有了谢谢", {Act.NO, Act.NOTHING_ELSE, Act.THANKS}),
        ("没有了，解决了，谢谢", {Act.NOTHING_ELSE, Act.SOLVED, Act.THANKS}),
        ("没有解决", {Act.UNSOLVED}),
        ("问题还是没解决", {Act.UNSOLVED}),
        ("转人功", {Act.HUMAN}),
        ("给我找个人来", {Act.HUMAN}),
        ("我不要人工", set()),
        ("再说一遍", {Act.REPEAT}),
        ("在说一变", {Act.REPEAT}),
        ("等一下我找找", {Act.WAIT}),
        ("我订单号忘了", {Act.DONT_KNOW}),
        ("好的知道了", {Act.GOT_IT}),
        ("我的快递到哪了", set()),
        ("", set()),
        ("……", set()),
    ],
)
def test_acts(text: str, acts: set[Act]) -> None:
    assert read(text) == acts


def test_no_is_stronger_than_solved() -> None:
    assert Act.UNSOLVED in read("没有，解决了没") and Act.SOLVED not in read("没有，解决了没")
    assert Act.SOLVED not in read("没有解决了") and Act.SOLVED not in read("不满意，解决了")


def test_kinds_of_sentences() -> None:
    assert is_question("退货运费谁出") and not is_question("我要退货")
    assert wants_it_done("帮我退货可以吗") and not wants_it_done("请问怎么申请退货")
    assert repeats("我的快递怎么还没到", "我的快递怎么还没到啊都一周了")
    assert not repeats("我的快递怎么还没到", "我想开一张发票") and not repeats("对", "对")
