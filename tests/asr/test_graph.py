"""From texts to decoding graphs: files, topology, homophones, hot words, rebuilding."""

from __future__ import annotations

import json
from pathlib import Path

import kaldifst
import numpy as np
import pytest

from tests.asr.tiny import general
from voice_gateway.asr.api import AsrModelError, Expect
from voice_gateway.asr.engines.search import Search, SearchOptions
from voice_gateway.asr.graph import fst as fsts
from voice_gateway.asr.graph.build import clauses, read_texts, rebuild, rebuild_apart
from voice_gateway.asr.graph.compile import BLANK_LABEL, build, grammar, with_chains
from voice_gateway.asr.graph.general import save
from voice_gateway.asr.graph.lexicon import in_any_tone, readings
from voice_gateway.asr.graph.numbers import Chain, addresses, chains, digit_probability
from voice_gateway.asr.graph.store import Graph, GraphStore
from voice_gateway.asr.units import SYMBOLS, UNIT_IDS, units_sha


def graph_of(sentences: list[tuple[str, ...]], folder: Path, bonus: float = 0.0) -> Graph:
    part = general(sentences)
    fsts.write(build(part.model, part.readings, bonus=bonus), folder / "g.fst")
    return Graph(kaldifst.StdConstFst.read(str(folder / "g.fst")), part.model.words)


def spoken(*syllables: str, pause: int = 1) -> np.ndarray:
    """Log probabilities of units said clearly, two frames each, with blanks between."""
    from voice_gateway.asr.units import syllable_ids

    rows: list[int] = []
    for syllable in syllables:
        for unit in syllable_ids(syllable):
            rows += [unit, unit, *[0] * pause]
    scores = np.full((len(rows), len(SYMBOLS)), -12.0, dtype=np.float32)
    scores[np.arange(len(rows)), rows] = -0.01
    return scores


def decode(graph: Graph, log_probs: np.ndarray, size: int = 4) -> str:
    search = Search(graph, SearchOptions(), frame_s=0.04, delay_s=0.0)
    for start in range(0, len(log_probs), size):
        search.advance(log_probs[start : start + size])
    result = search.result()
    assert "".join(timed.text for timed in result.chars) == result.text.replace(" ", "")
    return result.text


def test_const_files_are_openfst_s_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    final = np.where(np.arange(50) % 7 == 0, 0.5, np.inf).astype(np.float32)
    machine = fsts.assemble(
        3,
        final,
        rng.integers(0, 50, 300),
        rng.integers(0, 9, 300),
        rng.integers(0, 9, 300),
        rng.random(300).astype(np.float32),
        rng.integers(0, 50, 300),
    )
    theirs = fsts.to_kaldifst(machine)
    assert (theirs.start, theirs.num_states, theirs.num_arcs(int(machine.source[0]))) == (
        3,
        50,
        int((machine.source == machine.source[0]).sum()),
    )
    back = fsts.from_kaldifst(kaldifst.StdVectorFst(theirs))
    assert np.array_equal(back.arcs, machine.arcs) and np.array_equal(back.final, machine.final)
    path = tmp_path / "x.fst"
    fsts.write(machine, path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(fsts.FstError):
        fsts.read(path)


@pytest.mark.parametrize("pause", [0, 1, 4])
def test_every_sentence_of_the_text_is_heard_again(tmp_path: Path, pause: int) -> None:
    text = [
        ("我", "要", "退货"),
        ("我", "要", "退款"),
        ("银行", "行", "不", "行"),
        ("人工",),
        ("人工", "服务"),
        ("服", "气"),
    ]
    graph = graph_of(text, tmp_path)
    for sentence in text:
        syllables = {
            "我": ["wo3"],
            "要": ["yao4"],
            "退货": ["tui4", "huo4"],
            "退款": ["tui4", "kuan3"],
            "不": ["bu4"],
            "银行": ["yin2", "hang2"],
            "行": ["xing2"],
            "人工": ["ren2", "gong1"],
            "服": ["fu2"],
            "服务": ["fu2", "wu4"],
            "气": ["qi4"],
        }
        said = [syllable for word in sentence for syllable in syllables[word]]
        assert decode(graph, spoken(*said, pause=pause)) == "".join(sentence)


def test_the_same_unit_twice_needs_a_pause(tmp_path: Path) -> None:
    graph = graph_of([("意义",), ("意",)], tmp_path)
    assert decode(graph, spoken("yi4", "yi4")) == "意义"
    assert decode(graph, spoken("yi4")) == "意"


def test_the_text_decides_between_homophones(tmp_path: Path) -> None:
    log_probs = spoken("wo3", "yao4", "tui4", "huo4")
    assert decode(graph_of([("我", "要", "退货"), ("推", "货")], tmp_path), log_probs) == "我要退货"
    assert decode(graph_of([("我", "药", "退货")] * 3 + [("要",)], tmp_path), log_probs) == "我药退货"


def test_polyphones_and_letters_have_all_their_readings() -> None:
    assert [reading.units for reading in readings("银行")] == [tuple(UNIT_IDS[u] for u in ("in2", "h", "ang2"))]
    assert len(readings("行")) >= 2 and readings("行")[0].cost == 0.0 < readings("行")[1].cost
    assert len(readings("VIP")[0].units) >= 4
    assert readings("☃") == ()


def test_blank_may_stand_everywhere(tmp_path: Path) -> None:
    graph_of([("是",)], tmp_path)
    machine = fsts.read(tmp_path / "g.fst")
    loops = machine.arcs[(machine.arcs["ilabel"] == BLANK_LABEL)]
    held = machine.arcs[(machine.arcs["ilabel"] > BLANK_LABEL) & (machine.arcs["olabel"] == 0)]
    assert len(loops) > 0 and len(held) > 0
    assert set(np.unique(machine.source[machine.arcs["ilabel"] == BLANK_LABEL])) == set(loops["next"])


def test_rebuild_makes_all_graphs_from_the_tenant_s_words(tmp_path: Path) -> None:
    base = general([("你好",), ("芸", "衫"), ("云", "山"), ("智能",), ("音", "箱")])
    syllables = ("yun2", "shan1", "zhi4", "neng2", "yin1", "xiang1")
    rebuild(["你好"], folder=tmp_path / "a", general=base)
    plain = GraphStore(tmp_path / "a").loaded(units_sha())
    info = rebuild(["云杉智能音箱多少钱"], folder=tmp_path / "b", hotwords=["云杉智能音箱"], general=base)
    named = GraphStore(tmp_path / "b").loaded(units_sha())
    assert decode(plain.choose(Expect.FREE), spoken(*syllables)) != "云杉智能音箱"
    assert decode(named.choose(Expect.FREE), spoken(*syllables)) == "云杉智能音箱"
    assert info.hotwords == ("云杉智能音箱",) and set(info.arcs) == {"free", "digits", "yes_no"}
    digits = named.choose(Expect.DIGITS)
    number = ("yao1", "san1", "ba1", "ling2", "yi1", "er4", "liu4", "qi1", "jiu3", "wu3", "si4")
    assert decode(digits, spoken(*number)) == "幺三八零一二六七九五四"
    assert decode(named.choose(Expect.FREE), spoken(*number)) == "幺三八零一二六七九五四"
    assert decode(named.choose(Expect.YES_NO), spoken("bu4", "shi4")) == "不是"
    assert decode(named.choose(Expect.YES_NO), spoken("zhuan3", "ren2", "gong1")) == "转人工"


def test_counted_digit_strings_keep_a_digit_that_is_said_twice(tmp_path: Path) -> None:
    rebuild(["你好"], folder=tmp_path, general=general([("你好",)]))
    digits = GraphStore(tmp_path).loaded(units_sha()).choose(Expect.DIGITS)
    number = ("yao1", "san1", "ba1", "ling2", "ling2", "er4", "er4", "qi1", "jiu3", "wu3", "si4")
    log_probs = spoken(*number)
    blurred = log_probs.copy()
    twice = slice(14, 28)  # 零零 and more, with the blanks between them unclear
    blurred[twice, 0] = np.where(log_probs[twice, 0] > -1, -1.5, -3.0)
    assert decode(digits, log_probs) == "幺三八零零二二七九五四"
    assert len(decode(digits, blurred)) == 11
    own, mobile, other = chains(["2026dddd"])
    assert [len(among) for among in own.digits[:4]] == [1, 2, 1, 1]
    assert own.probability + mobile.probability + other.probability == 1.0
    with pytest.raises(ValueError, match="2026dddddddd"):
        chains(["20x6"])
    mobile, other = chains()
    assert len(mobile.digits) == 11 and mobile.probability + other.probability == 1.0
    for among in (*mobile.digits, *other.digits):
        assert sum(digit_probability(word, among) for word in among) == pytest.approx(1.0)


def test_addresses_are_heard(tmp_path: Path) -> None:
    rebuild([], folder=tmp_path, general=general([("你好",)]))
    free = GraphStore(tmp_path).loaded(units_sha()).choose(Expect.FREE)
    road = ("ren2", "min2", "lu4", "san1", "shi2", "er4", "hao4")
    room = ("wu3", "dong4", "er4", "dan1", "yuan2", "yao1", "ling2", "san1", "shi4")
    assert decode(free, spoken(*road, *room)) == "人民路三十二号五栋二单元幺零三室"
    assert len(set(addresses(50))) == 50


def test_versions_are_published_and_old_ones_removed(tmp_path: Path) -> None:
    base = general([("你好",)])
    store = GraphStore(tmp_path)
    assert not store.exists() and not store.usable(units_sha())
    with pytest.raises(AsrModelError, match="hotline asr graph"):
        store.loaded(units_sha())
    versions = [rebuild([text], folder=tmp_path, general=base).version for text in ("你好", "您好", "再见")]
    assert store.usable(units_sha()) and not store.usable("other")
    assert store.loaded(units_sha()).info.version == versions[-1]
    assert not store.changed()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == versions[1:]
    about = json.loads((tmp_path / versions[-1] / "graph.json").read_text())
    assert about["clauses"] == 1
    (tmp_path / versions[-1] / "free.fst").write_bytes(b"broken")
    with pytest.raises(AsrModelError, match="hotline asr graph"):
        GraphStore(tmp_path).loaded(units_sha())


def test_texts_are_read_from_files(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# 退货\n\n请在**7天**内申请，no_reason_needed。", encoding="utf-8")
    (tmp_path / "b.csv").write_text("question,answer\n怎么退货|能退吗,可以的", encoding="utf-8")
    (tmp_path / "c.bin").write_bytes(b"\x00")
    assert list(clauses(read_texts([tmp_path]))) == ["退货", "请在七天内申请", "怎么退货", "能退吗", "可以的"]
    with pytest.raises(FileNotFoundError):
        list(read_texts([tmp_path / "c.bin"]))


async def test_rebuilding_apart_gives_the_same_and_explains_failure(tmp_path: Path) -> None:
    small = tmp_path / "general.xz"
    save(general([("你好",)]), small)
    info = await rebuild_apart(["云杉智能音箱多少钱"], folder=tmp_path / "g", hotwords=["云杉智能音箱"], general=small)
    assert GraphStore(tmp_path / "g").usable(units_sha()) and info.clauses == 1
    with pytest.raises(AsrModelError, match="the old one stays"):
        await rebuild_apart(["你好"], folder=tmp_path / "g", general=tmp_path / "none.xz")
    with pytest.raises(AsrModelError, match="not built within"):
        await rebuild_apart(["你好"], folder=tmp_path / "h", general=small, timeout_s=0.01)


def test_digits_are_heard_in_any_tone_and_a_lisped_shi_is_no_digit(tmp_path: Path) -> None:
    rebuild(["你好"], folder=tmp_path, general=general([("你好",), ("是",), ("就",)]))
    digits = GraphStore(tmp_path).loaded(units_sha()).choose(Expect.DIGITS)
    number = ("yao1", "san4", "ba4", "ling2", "yi1", "er4", "liu4", "qi1", "jiu4", "wu4", "si4")
    assert decode(digits, spoken(*number)) == "幺三八零一二六七九五四"
    assert decode(digits, spoken("hao4", "ma3", "si4", *number)) == "号码是幺三八零一二六七九五四"
    assert [len(reading.units) for reading in in_any_tone(readings("九"), 0.7)] == [2] * 4
    assert sorted(reading.cost for reading in in_any_tone(readings("九"), 0.7)) == pytest.approx([0.0, 0.7, 0.7, 0.7])


def test_what_is_said_before_a_number_costs_what_it_is_worth() -> None:
    gram = grammar(general([("二",), ("是",)]).model)
    ids = {"二": 3, "是": 4}
    counted = with_chains(gram, [Chain(1.0, ("二",), (0.0,))], [(), (), (), (4,)], [()], ids, 0.5, dues=2.0)
    begin = counted.source == gram.states
    assert sorted(counted.arcs["weight"][begin]) == pytest.approx([np.log(4 / 3), np.log(4)])
    digit = (counted.source >= gram.states) & (counted.arcs["ilabel"] == 3)
    assert counted.arcs["weight"][digit] == pytest.approx([2.0])


def test_a_bonus_keeps_a_syllable_that_was_hardly_heard(tmp_path: Path) -> None:
    log_probs = np.concatenate([spoken("hao3"), spoken("hao3")])
    log_probs[3:, 0] = np.maximum(log_probs[3:, 0], -0.05)
    log_probs[3:, 1:] -= 2.0
    for bonus, heard in ((0.0, "好"), (8.0, "好好")):
        assert decode(graph_of([("好", "好"), *[("好",)] * 30], tmp_path, bonus=bonus), log_probs) == heard


def test_a_bonus_does_not_make_two_of_a_long_vowel(tmp_path: Path) -> None:
    graph = graph_of([("二",), ("二", "二"), ("二", "五")], tmp_path, bonus=6.0)
    long = np.repeat(spoken("er4")[:1], 8, axis=0)
    assert decode(graph, long) == "二"
    assert decode(graph, np.concatenate([long, spoken("wu3")])) == "二五"
    assert decode(graph, spoken("er4", "er4")) == "二二"


def test_a_graph_of_an_earlier_version_is_not_used(tmp_path: Path) -> None:
    rebuild(["你好"], folder=tmp_path, general=general([("你好",)]))
    assert GraphStore(tmp_path).usable(units_sha())
    described = next(tmp_path.glob("*/graph.json"))
    raw = json.loads(described.read_text(encoding="utf-8"))
    del raw["revision"]
    described.write_text(json.dumps(raw), encoding="utf-8")
    assert not GraphStore(tmp_path).usable(units_sha())
    with pytest.raises(AsrModelError, match="another version"):
        GraphStore(tmp_path).loaded(units_sha())
