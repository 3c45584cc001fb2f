"""What a short utterance does in a dialog: yes, no, repeat, wait, a human please, … Pure, lexical.

Intents are nlu's business; these few acts mean different things at different points of a dialog, must work while nlu is
down, and must survive a recogniser that writes another character of the same sound, so short texts are compared by
their toneless pinyin too. Several acts may hold at once (没有 is a no and a "nothing else"); the policy picks by what
it asked.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache

from dialog.sound import syllables


class Act(StrEnum):
    """A dialog act of the person."""

    YES = "yes"
    NO = "no"
    SOLVED = "solved"
    UNSOLVED = "unsolved"
    HUMAN = "human"
    REPEAT = "repeat"
    WAIT = "wait"
    GOODBYE = "goodbye"
    THANKS = "thanks"
    NOTHING_ELSE = "nothing_else"
    DONT_KNOW = "dont_know"
    CANCEL = "cancel"
    GOT_IT = "got_it"
    OTHER_ONE = "other_one"
    FILLER = "filler"
    GREETING = "greeting"


_NOISE = re.compile(r"[\s,，.。、!！?？:：;；~—…\"“”'·]")
_TAIL = re.compile(r"(?<=.)[啊呀呢吧嘛啦哈哟哎诶]+$")
_HEAD = re.compile(r"^(?:嗯+|呃+|额+|哦+|噢+|啊+|那个|那|喂|哎|诶)(?=.)")

# The whole utterance, particles aside.
_WHOLE: dict[Act, str] = {
    Act.YES: "对 对的 对对 对对对 是 是的 是是 对是的 没错 好 好的 好好 行 行的 可以 可以的 要 要的 需要 正确 确认 "
    "确定 就是 就是这个 就是这样 嗯 嗯嗯 没问题 同意 ok okay yes 一 有 有的 当然 麻烦你了 麻烦您了 那好 "
    "那好吧 中 成 得 是这个 是它 对就是这个 对没错 是没错 好的可以 好可以 可以可以",
    Act.NO: "不 不是 不对 不是的 不对的 错 错了 错的 不要 不用 不需要 不行 不可以 没有 否 不正确 没 不了 算了 二 "
    "no 不是这个 不是这样 不好 不想 不愿意 先不用 不用不用 不用了 不需要了",
    Act.SOLVED: "解决了 已经解决了 解决 已解决 问题解决了 搞定了 可以了 好了 没问题了 都解决了 解决啦 满意 很满意 "
    "解决了谢谢 已经好了 都好了 嗯解决了 是的解决了 对解决了 好的解决了",
    Act.GOT_IT: "明白了 知道了 清楚了 了解了 了解 懂了 我知道了 我明白了 我清楚了 好的知道了 好的明白了 行知道了 "
    "好知道了 好明白了 好的了解了 原来如此 哦知道了 那行 那好",
    Act.UNSOLVED: "没解决 没有解决 未解决 还没解决 还没有解决 没有 没 不满意 还没 没用 没有用 问题没解决 没能解决 "
    "没有完全解决",
    Act.GOODBYE: "再见 拜拜 拜 拜拜了 挂了 我挂了 先挂了 先这样 就这样 那就这样 那先这样 再会 不聊了 好再见 好的再见 "
    "谢谢再见 没事了再见 没有了再见",
    Act.NOTHING_ELSE: "没有了 没了 没有 没 没别的了 没有别的了 没其他的了 没有其他的了 没其他问题了 没有其他问题了 "
    "没问题了 不用 不用了 不需要了 没事了 没什么了 没有问题了 就这些 就这样 没什么事了 暂时没有 暂时没有了 "
    "没有其他了 没其他了 没有别的问题了 没有什么问题了",
    Act.CANCEL: "算了 不办了 不弄了 不查了 不退了 不换了 不改了 不开了 不问了 先不办 先不办了 取消 退出 返回 先算了 "
    "算了吧 那算了",
    Act.FILLER: "嗯 哦 噢 啊 呃 额 喂 喂喂 那个 哎 诶 这样 是吗 哦哦 嗯嗯",
    Act.GREETING: "你好 您好 喂你好 喂您好 早上好 下午好 晚上好 在吗 有人吗 哈喽",
}
# Anywhere in the utterance.
_INSIDE: dict[Act, re.Pattern[str]] = {
    Act.HUMAN: re.compile(
        r"(?<!不)(?<!不要)(?<!不用)(?<!不用转)(?<!不要转)(?<!不需要)(?<!不需要转)"
        r"(?:人工|真人|(?:找|叫|换|要|让)个?(?:人|活人)(?:来|跟|和|接|说|处理|给|$)"
        r"|(?:找|叫|让)(?:你们?|您)?们?的?(?:客服|经理|领导|主管|老板|负责人)|不(?:想|要)(?:跟|和)(?:你|机器))"
    ),
    Act.REPEAT: re.compile(
        r"再(?:说|讲|念|报|重复)(?:一遍|一次|一下|下)|没(?:有)?听(?:清|见|到|懂|明白)|重复一|你?刚(?:才|刚)?说(?:的)?(?:是)?(?:什么|啥)|重新说|^(?:什么|啥|你说(?:什么|啥))$"
    ),
    Act.WAIT: re.compile(
        r"等一?[下会]|稍等|等等|等我|(?<![帮给替])我(?:去)?(?:找|看|查|翻)(?:找|看|查|翻|一找|一看|一下)|让我(?:找|看|想|查)|别着?急|马上(?:找|来|好)|等会"
    ),
    Act.THANKS: re.compile(r"谢谢|多谢|感谢|谢了|辛苦"),
    Act.DONT_KNOW: re.compile(
        r"不(?:知道|记得|清楚|晓得)|忘(?:了|记)|记不(?:得|清|住)|找不(?:到|着)|没(?:有)?(?:记|带|找到|订单|单号|保存)|不在(?:手边|身边)|哪(?:里|儿)(?:找|看|有)"
    ),
    Act.UNSOLVED: re.compile(r"(?:没|未)(?:有|能|给我)?(?:得到)?解决|解决不了|还是(?:不行|没|不能)|没(?:什么|有)?用"),
    Act.SOLVED: re.compile(
        r"(?<!没)(?<!没有)(?<!未)(?<!还没)(?<!没给我)(?<!没能)(?:已经|都|算是?)?解决了|没问题了|搞定了"
    ),
    Act.GOODBYE: re.compile(r"再见|拜拜"),
    Act.OTHER_ONE: re.compile(
        r"(?:另外?|别的|其他|另)(?:一)?(?:个|单|笔|张)?(?:的)?(?:订单|单|那个|那单)|换(?:一)?(?:个|单)|(?:还有|另)一(?:个|单|笔)"
    ),
}
_YES_START = re.compile(r"^(?:对的?(?!了)|是的|没错|好的?|可以|行|嗯+|正确|要的|需要)[，,。.\s]*(?=.)")
_AGREED = re.compile(r"可以|没问题|提交|同意|好的|确认|办吧")
_NO_START = re.compile(r"^(?:不对|不是|错了?|不用|不要|不行|不需要|没有)")
_NEGATED = re.compile(r"不|没|错|但|可是|别|吗|[？?]")


def squeeze(text: str) -> str:
    """`text` without punctuation, leading hesitation and trailing particles."""
    text = _NOISE.sub("", text.lower())
    while (shorter := _HEAD.sub("", text)) != text:
        text = shorter
    return _TAIL.sub("", text)


@cache
def _by_sound() -> dict[tuple[str, ...], frozenset[Act]]:
    table: dict[tuple[str, ...], set[Act]] = {}
    for act, words in _WHOLE.items():
        for word in words.split():  # a list of cues in this file, not a transcript
            if len(word) >= 2:
                table.setdefault(syllables(word), set()).add(act)
    for act, word in ((Act.HUMAN, "转人工"), (Act.HUMAN, "人工"), (Act.HUMAN, "人工客服"), (Act.HUMAN, "转人工客服")):
        table.setdefault(syllables(word), set()).add(act)
    for act, word in ((Act.REPEAT, "再说一遍"), (Act.WAIT, "等一下"), (Act.THANKS, "谢谢")):
        table.setdefault(syllables(word), set()).add(act)
    return {sound: frozenset(acts) for sound, acts in table.items()}


@cache
def _whole() -> dict[str, frozenset[Act]]:
    table: dict[str, set[Act]] = {}
    for act, words in _WHOLE.items():
        for word in words.split():
            table.setdefault(word, set()).add(act)
    return {word: frozenset(acts) for word, acts in table.items()}


def read(text: str) -> frozenset[Act]:
    """The acts of `text`; empty when it is just something said."""
    bare = _NOISE.sub("", text.lower())
    short = squeeze(text)
    if not short:
        return frozenset()
    found = {act for act, pattern in _INSIDE.items() if pattern.search(bare)}
    exact = _whole().get(short) or _whole().get(bare) or _chained(short)
    if exact:
        found |= exact
    elif not found and 2 <= len(short) <= 6:
        found |= _by_sound().get(syllables(short), frozenset())
    if Act.UNSOLVED in found and Act.SOLVED in found:
        found.discard(Act.SOLVED)
    if Act.THANKS in found:
        found |= _without_thanks(bare)
    if not exact and not found & {Act.YES, Act.NO, Act.SOLVED, Act.UNSOLVED}:
        found |= _opening(text)
    return frozenset(found)


def _chained(short: str) -> frozenset[Act]:
    """算了不用了: nothing but cues, one after another. Of a yes and a no the last one holds."""
    found: list[frozenset[Act]] = []
    while short:
        size = next((n for n in range(min(8, len(short)), 1, -1) if short[:n] in _whole()), 0)
        if not size:
            return frozenset()
        found.append(_whole()[short[:size]])
        short = short[size:]
    last = next((acts & {Act.YES, Act.NO} for acts in reversed(found) if acts & {Act.YES, Act.NO}), frozenset())
    return frozenset().union(*found) - {Act.YES, Act.NO} | last


def _without_thanks(bare: str) -> frozenset[Act]:
    rest = squeeze(re.sub(r"(?:非常)?(?:谢谢|多谢|感谢|谢了|辛苦了?)(?:你|您)?(?:啦|了|哈)?", "", bare))
    return _whole().get(rest, frozenset()) if rest else frozenset()


def _opening(text: str) -> frozenset[Act]:
    """对，就是那个…: a yes or no that opens a short sentence."""
    short = squeeze(text)
    if len(short) > 14:
        return frozenset({Act.NO}) if re.match(r"^(?:不对|不是)[，,。\s]", text.strip()) else frozenset()
    if _NO_START.match(short):
        return frozenset({Act.NO})
    opening = _YES_START.match(text.strip())
    rest = text.strip()[opening.end() :] if opening else ""
    agreed = bool(opening) or (len(short) <= 8 and _AGREED.search(short) is not None)
    return (
        frozenset()
        if not agreed or _NEGATED.search(rest or text) or is_question(rest or text)
        else frozenset({Act.YES})
    )


_NO_HUMAN = re.compile(r"(?:不要|不用|别|不想|不需要)(?:给我|帮我)?(?:转|找|接)?(?:到)?(?:人工|真人)")
_QUESTION = re.compile(
    r"吗|呢[？?]?$|么[？?]?$|[？?]|什么|多少|怎么|怎样|如何|谁|哪|多久|几[天个点时折元块]|为啥|为什么|能不能|可不可以|是不是|有没有|"
    r"要不要|会不会|多长|多大|多快|啥|行不行|支持"
)
_WANT = re.compile(
    r"我(?:想|要|需要|得)(?!问|知道|了解|咨询|请教)|帮我|给我|替我|麻烦(?:你|您)?(?:帮|给)?|我的(?:订单|快递|包裹|货|退款|件)|我买|我那"
)


def is_question(text: str) -> bool:
    """Whether it asks for information."""
    return _QUESTION.search(text) is not None


def refuses_human(text: str) -> bool:
    """我不要人工."""
    return _NO_HUMAN.search(text) is not None


def wants_it_done(text: str) -> bool:
    """Whether it is about the speaker's own affair, rather than about how things are in general."""
    return _WANT.search(text) is not None


def repeats(text: str, earlier: str) -> bool:
    """Whether a sentence says the same as an earlier one (character bigrams)."""
    a, b = squeeze(text), squeeze(earlier)
    if min(len(a), len(b)) < 5:
        return False
    x, y = ({s[i : i + 2] for i in range(len(s) - 1)} for s in (a, b))
    return len(x & y) / len(x | y) >= 0.6
