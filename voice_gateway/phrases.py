"""What short Mandarin phrases do in turn-taking: acknowledge, answer completely, say goodbye, dictate a number.

Everything counts characters; a Chinese transcript has no words to split. Pure.
"""

from __future__ import annotations

import re
import unicodedata

_ACKNOWLEDGE = "嗯恩唔呣哦噢喔啊呃额哎诶欸呀哈"
_AFFIRM = "对|好|是|行"
_BACKCHANNEL = re.compile(rf"(?:[{_ACKNOWLEDGE}]|{_AFFIRM}|的|呢|了|可以|明白|知道|清楚|没错|这样|那个|谢谢)*")
_AFFIRMATIVE = re.compile(r"(?:[嗯恩啊哦]|对|好|是|行|的|呀|啊|可以|没错|没问题)+")
_COURTESY = re.compile(
    rf"(?:[{_ACKNOWLEDGE}]|{_AFFIRM}|的|了|嘞|啦|吧|那|就|再见|再会|拜|拜拜|谢谢|多谢|感谢|您|你|不客气|麻烦|辛苦|没|有|"
    r"不用|没事|可以|知道|明白|这样|先)*"
)
_COMPLETE = re.compile(
    r"(?:不?是|不?对|不?好|不?要|不用|不?需要|不?行|不?可以|没?有|没错|没事|没问题|没?解决|确认|确定|取消)[的啊了呀]?|"
    r"(?:我要|帮我|给我|请)?(?:转|找)?人工(?:客服|服务)?|谢谢[你您]?|再见|拜拜|停|喂|[你您]好"
)
_GREETING = re.compile(r"(?:喂|哎|[你您]好?|哈喽|在吗|请问|是|啊|嗯|谁|哪位)*")
_COMMANDS = frozenset("停喂不别")
_FINISHED = re.compile(r".*(?:[吗吧呢啊呀了]|谢谢|多少|什么|怎么办|在哪|多久|几天|人工)")
_UNFINISHED = re.compile(r".*(?:[和跟把呃嗯额]|那个|就是|然后|因为|但是|所以|还有|我想|我要|的话)")
_ADDRESS_ENDS = ("号", "室", "楼", "单元", "号楼", "层", "户", "院", "座")
_DIGITS = frozenset("0123456789零〇洞一幺二两三四五六七八九")


def plain(text: str) -> str:
    """`text` without spaces, punctuation and symbols."""
    return "".join(c for c in text if unicodedata.category(c)[0] in "LN")


def is_backchannel(text: str) -> bool:
    """Only acknowledgements (嗯, 对, 好的, 哦, …), or nothing at all."""
    return _BACKCHANNEL.fullmatch(plain(text)) is not None


def is_affirmative(text: str) -> bool:
    """An acknowledgement that also answers a yes/no question."""
    return _AFFIRMATIVE.fullmatch(plain(text)) is not None


def is_courtesy(text: str) -> bool:
    """Thanks and goodbyes that ask for nothing, or nothing at all."""
    return _COURTESY.fullmatch(plain(text)) is not None


def is_greeting(text: str) -> bool:
    """What people say when a call begins (喂, 你好)."""
    return _GREETING.fullmatch(plain(text)) is not None


def is_command(text: str) -> bool:
    """A single character that asks the bot to stop or to listen (停, 喂, 不, 别)."""
    return plain(text) in _COMMANDS


def is_complete_answer(text: str) -> bool:
    """A whole short answer: nothing more is to be expected after it."""
    return _COMPLETE.fullmatch(plain(text)) is not None


def sounds_finished(text: str) -> bool:
    """Ends the way sentences end."""
    return _FINISHED.fullmatch(plain(text)) is not None


def sounds_unfinished(text: str) -> bool:
    """Ends the way sentences go on."""
    return _UNFINISHED.fullmatch(plain(text)) is not None


def ends_address(text: str) -> bool:
    """Ends with what closes a Chinese address (号, 室, 楼, …)."""
    return plain(text).endswith(_ADDRESS_ENDS)


def count_digits(text: str) -> int:
    """Digits said one by one, written as 0-9 or in Chinese."""
    return sum(c in _DIGITS for c in text)


def ends_in_digits(text: str) -> bool:
    """A number is being dictated at this moment; a hesitation after it changes nothing."""
    bare = plain(text).rstrip("嗯呃额啊哦")
    return bare[-1:] in _DIGITS and bool(bare)


def count_new(text: str) -> int:
    """Characters that are more than acknowledgement; 0 for a pure backchannel."""
    bare = plain(text)
    matched = _BACKCHANNEL.match(bare)
    return len(bare) - (matched.end() if matched else 0)
