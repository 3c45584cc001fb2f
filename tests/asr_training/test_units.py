"""The unit inventory is total over Mandarin, stable and one-to-one."""

from __future__ import annotations

import pytest

from voice_gateway.asr.units import BLANK, SYMBOLS, UNIT_IDS, UnknownSyllable, syllable_ids, syllable_units, units_text


@pytest.mark.parametrize(
    ("syllable", "units"),
    [
        ("zhong1", ("zh", "ong1")),
        ("yi1", ("i1",)),
        ("yao1", ("iao1",)),
        ("you3", ("iou3",)),
        ("liu4", ("l", "iou4")),
        ("wu3", ("u3",)),
        ("wen4", ("uen4",)),
        ("wei2", ("uei2",)),
        ("weng1", ("ong1",)),
        ("yuan2", ("van2",)),
        ("jun1", ("j", "vn1")),
        ("xue2", ("x", "ve2")),
        ("lve4", ("l", "ve4")),
        ("nü3", ("n", "v3")),
        ("shi4", ("sh", "ih4")),
        ("ri4", ("r", "ih4")),
        ("bo1", ("b", "uo1")),
        ("er4", ("er4",)),
        ("de5", ("d", "e5")),
        ("le", ("l", "e5")),
        ("en4", ("en4",)),
        ("n2", ("en2",)),
        ("ying1", ("ing1",)),
        ("yong4", ("iong4",)),
        ("yan2", ("ian2",)),
        ("ye4", ("ie4",)),
        ("yue4", ("ve4",)),
        ("shang5", ("sh", "ang4")),
        ("er5", ("er2",)),
    ],
)
def test_syllable_units(syllable: str, units: tuple[str, ...]) -> None:
    assert syllable_units(syllable) == units


@pytest.mark.parametrize("syllable", ["", "7", "zhong6", "bq1", "hello world", "中"])
def test_unknown_syllables_say_so(syllable: str) -> None:
    with pytest.raises(UnknownSyllable):
        syllable_units(syllable)


def test_every_dictionary_reading_has_units() -> None:
    pinyin_dict = pytest.importorskip("pypinyin.pinyin_dict").pinyin_dict
    to_tone3 = pytest.importorskip("pypinyin.contrib.tone_convert").to_tone3
    readings = {to_tone3(r, neutral_tone_with_five=True) for rs in pinyin_dict.values() for r in rs.split(",")}
    assert len(readings) > 1400
    by_units: dict[tuple[int, ...], set[str]] = {}
    for reading in readings:
        by_units.setdefault(syllable_ids(reading), set()).add(reading)
    merged = [group for group in by_units.values() if len({r for r in group if not r.endswith("5")}) > 1]
    assert all(len(group) <= 9 for group in merged), merged
    assert len(by_units) > 1280


def test_the_inventory_is_stable() -> None:
    assert SYMBOLS[0] == BLANK and UNIT_IDS[BLANK] == 0
    assert len(set(SYMBOLS)) == len(SYMBOLS) == 170
    assert units_text().splitlines()[0] == f"{BLANK} 0"
