"""Days and times of day in a text, resolved against a given now.

jionlp reads the expressions; this file decides when it is worth asking (a cue must be there), what is not a date
(五号楼, 三点水), and adds what jionlp does not know (月底, 上个月). What is vague (前几天) is left out.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from nlu import chinese

_CUE = re.compile(
    r"[今昨明前后]天|天[前后]|[昨今明]晚|[年月日号]|周[一二三四五六日天末]|星期|礼拜|\d{1,2}[:：]\d{2}|\d{1,2}[-/.]\d{1,2}|[点时]"
    r"|上午|下午|晚上|早上|中午|凌晨|双十|国庆|元旦|春节|中秋|端午|清明|劳动节"
)
_NOT_A_DATE = re.compile(
    r"^[\s]*(?:楼|门|线|店|桌|仓|院|库|机|柜|馆|厅|码|单元|栋|幢|房|室|弄|水|几|个字|心|子|钱|五|儿|头|击|单|评|赞|菜|餐|名)"
)
_CLOCK = re.compile(r"点|:|：|时(?!候)|刻|半|上午|下午|晚上|早上|中午|凌晨|傍晚")
_DAY = re.compile(r"天|号|日|月|周|星期|礼拜|年|节|双十|末|昨晚|今晚|明晚")
_WHICH = {"上上个月": -2, "上个月": -1, "上月": -1, "下个月": 1, "下月": 1, "这个月": 0, "本月": 0}
_MONTH = re.compile(
    r"(上上个月|上个月|上月|下个月|下月|这个月|本月)(底|初|中旬)?(?!\d|[一二三四五六七八九十])|月(底|初|中旬)"
)
_YEAR_END = re.compile(r"年(底|初)")


@dataclass(frozen=True, slots=True)
class When:
    """kind: "date" (value an ISO date, or start/end of an interval) or "time" (HH:MM, or an ISO date and time)."""

    kind: str
    value: str
    start: int
    end: int


def dates(text: str, now: datetime) -> list[When]:
    """Days and times named in the normalised `text`."""
    if not _CUE.search(text):
        return []
    found = _months(text, now.date())
    for item in chinese.times(text, now):
        start, end = item["offset"]
        said, after = item["text"], text[end:]
        if any(start < w.end and w.start < end for w in found) or _false_alarm(text, start, said, after):
            continue
        found += _read(item, said, start, end)
    return sorted(found, key=lambda w: w.start)


def _false_alarm(text: str, start: int, said: str, after: str) -> bool:
    if re.fullmatch(r"[\d一二三四五六七八九十]{1,3}[号点]", said) and _NOT_A_DATE.match(after):
        return True
    if text[:start].endswith(("-", "第")) or (start and text[start - 1].isdigit() and said[0].isdigit()):
        return True
    return bool(re.fullmatch(r"[\d.\-]+", said)) and not re.fullmatch(r"20\d\d-\d{1,2}-\d{1,2}", said)


def _read(item: dict[str, object], said: str, start: int, end: int) -> list[When]:
    detail = item["detail"]
    if item["type"] not in ("time_point", "time_span") or not isinstance(detail, dict):
        return []
    try:
        begin, close = (datetime.fromisoformat(t) for t in detail["time"])
    except (ValueError, KeyError, TypeError):
        return []
    day, clock = bool(_DAY.search(said)), bool(_CLOCK.search(said))
    whole = begin.date() != close.date()
    if whole:
        return [When("date", f"{begin.date().isoformat()}/{close.date().isoformat()}", start, end)]
    whens = [When("date", begin.date().isoformat(), start, end)] if day or not clock else []
    if clock and close - begin <= timedelta(hours=1):
        moment = begin.isoformat(timespec="minutes") if day else f"{begin:%H:%M}"
        whens.append(When("time", moment, start, end))
    return whens


def _months(text: str, today: date) -> list[When]:
    """月底, 上个月, 下个月初, 年底: what jionlp leaves out, as intervals."""
    found = []
    for match in _MONTH.finditer(text):
        shift = _WHICH.get(match[1] or "", 0)
        year, month = divmod(today.year * 12 + today.month - 1 + shift, 12)
        last = calendar.monthrange(year, month + 1)[1]
        first_day, last_day = {"底": (last - 4, last), "初": (1, 5), "中旬": (11, 20)}.get(
            match[2] or match[3] or "", (1, last)
        )
        begin, close = date(year, month + 1, first_day), date(year, month + 1, last_day)
        found.append(When("date", f"{begin.isoformat()}/{close.isoformat()}", *match.span()))
    for match in _YEAR_END.finditer(text):
        first, last_month = (12, 12) if match[1] == "底" else (1, 1)
        begin, close = date(today.year, first, 1), date(today.year, last_month, 31)
        found.append(When("date", f"{begin.isoformat()}/{close.isoformat()}", *match.span()))
    return found
