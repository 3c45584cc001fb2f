"""Text forms, scores, degraded lines and the evaluation itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from common.errors import BadInput
from tests.asr.tiny import say
from voice_gateway.asr.api import Expect
from voice_gateway.asr.cli import asr_app
from voice_gateway.asr.degrade import Line, g711, load
from voice_gateway.asr.evaluate import hint_for, percentiles, read_list
from voice_gateway.asr.score import score
from voice_gateway.asr.settings import AsrSettings
from voice_gateway.asr.text import canonical, digit_strings, sentences


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("共￥1,299.50元。", "共一千二百九十九点五零元"),
        ("１９９８年，３月5日", "一九九八年三月五日"),
        ("2024-05-06 10:30", "二零二四年五月六日十点三十分"),
        ("打8.5折，减20%", "打八点五折减百分之二十"),
        ("电话13812345678！", "电话一三八一二三四五六七八"),
        ("满300-500元，VIP会员", "满三百到五百元VIP会员"),
        ("一〇一室", "一零一室"),
        ("iPhone 15 Pro", "IPHONE十五PRO"),
    ],
)
def test_numbers_are_written_as_they_are_said(written: str, said: str) -> None:
    assert canonical(written) == said


def test_texts_are_cut_into_clauses() -> None:
    assert list(sentences("您好！请问3.5元的、VIP卡？\n再见")) == ["您好", "请问三点五元的", "VIP卡", "再见"]
    assert list(sentences("……")) == []


def test_digit_strings() -> None:
    assert digit_strings("电话是幺三八零零一二谢谢二十三") == ["1380012"]
    assert digit_strings("2024年") == ["2024"]
    assert digit_strings("三百二十") == []


def test_errors_are_counted_by_kind() -> None:
    found = score(
        [
            ("我要退货", "我要退货"),
            ("我要退货", "我要退火啊"),
            ("电话13800138000", "电话幺三八零零幺三八零零零"),
            ("单号 55667", "单号五六六七"),
        ]
    )
    assert (found.utterances, found.exact, found.characters) == (4, 2, 4 + 4 + 13 + 7)
    assert (found.substitutions, found.deletions, found.insertions) == (1, 1, 1)
    assert found.cer == pytest.approx(3 / 28)
    assert (found.digit_strings, found.digit_strings_right) == (2, 1)
    assert (found.phone_numbers, found.phone_numbers_right) == (1, 1)


@pytest.mark.parametrize("law", ["pcmu", "pcma"])
def test_g711_is_close_and_coarse(law: str) -> None:
    audio = (8000 * np.sin(np.arange(8000) / 7)).astype(np.int16)
    coded = g711(audio, law)
    error = coded.astype(np.float64) - audio
    assert 30 < 10 * np.log10(np.mean(audio.astype(np.float64) ** 2) / np.mean(error**2)) < 45
    assert len(np.unique(coded)) <= 256


def test_a_line_adds_noise_and_loses_packets() -> None:
    audio = say("你好")
    noisy = Line(8000, snr_db=10).apply(audio, 1)
    loud = np.abs(audio) > 1000
    noise = (noisy.astype(np.float64) - audio)[~loud]
    ratio = 10 * np.log10(np.mean(audio[loud].astype(np.float64) ** 2) / np.mean(noise**2))
    assert 6 < ratio < 14
    assert np.array_equal(noisy, Line(8000, snr_db=10).apply(audio, 1))
    lost = Line(8000, loss=0.3).apply(audio, 1)
    changed = np.mean([np.any(lost[i : i + 160] != audio[i : i + 160]) for i in range(0, len(audio), 160)])
    assert 0.05 < changed < 0.45
    assert np.array_equal(Line(8000).apply(audio, 1), audio)


def test_lists_are_checked(tmp_path: Path) -> None:
    listing = tmp_path / "LIST.tsv"
    listing.write_text("text\tpath\n你好\ta.wav\n是的\tb.wav\n", encoding="utf-8")
    assert [(item.path.name, item.text) for item in read_list(listing)] == [("a.wav", "你好"), ("b.wav", "是的")]
    assert len(read_list(listing, limit=1)) == 1
    listing.write_text("a.wav 你好\n", encoding="utf-8")
    with pytest.raises(BadInput, match="columns path and text"):
        read_list(listing)
    with pytest.raises(BadInput, match="no such list"):
        read_list(tmp_path / "none.tsv")


def test_the_automatic_hint_is_what_a_dialog_would_give() -> None:
    assert hint_for("auto", "幺三八零零幺三八零零零").expect is Expect.DIGITS
    assert hint_for("auto", "我的订单为什么还没有发货").expect is Expect.FREE
    assert hint_for("yes_no", "你好").expect is Expect.YES_NO
    assert percentiles([]) == (0.0, 0.0)


def test_eval_from_the_command_line(tmp_path: Path, settings: AsrSettings) -> None:
    for name, words in (("a", ("你好",)), ("b", ("是", "的"))):
        soundfile.write(tmp_path / f"{name}.wav", say(*words, rate=16000), 16000)
    (tmp_path / "LIST.tsv").write_text("path\ttext\na.wav\t你好。\nb.wav\t你是的\n", encoding="utf-8")
    assert len(load(tmp_path / "a.wav", 8000)) == pytest.approx(len(say("你好")), abs=2)
    command = ["eval", str(tmp_path / "LIST.tsv"), "--model", str(settings.model), "--graphs", str(settings.graphs)]
    done = CliRunner().invoke(asr_app, [*command, "--codec", "pcmu", "--hint", "free", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["score"]["characters"] == 5 and found["score"]["deletions"] == 1
    assert found["score"]["cer"] == pytest.approx(0.2)
    assert found["line"] == "8000 Hz pcmu" and found["engine"] == "bundled"
    assert found["rtf"] > 0 and 0 < found["final_ms"][0] <= found["final_ms"][1]
    assert found["first_partial_ms"][0] > 100
    plain = CliRunner().invoke(asr_app, [*command, "--limit", "1"])
    assert "CER" in plain.output and plain.exit_code == 0
    wrong = CliRunner().invoke(asr_app, [*command, "--codec", "opus"])
    assert isinstance(wrong.exception, BadInput)


def test_graph_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.asr.tiny import general
    from voice_gateway.asr.graph import general as part

    monkeypatch.setattr(part, "load", lambda: general([("你好",)]))
    (tmp_path / "faq.md").write_text("怎么退货", encoding="utf-8")
    done = CliRunner().invoke(
        asr_app, ["graph", str(tmp_path / "faq.md"), "--graphs", str(tmp_path / "g"), "--hotword", "云杉"]
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "g" / "current").exists()
    missing = CliRunner().invoke(asr_app, ["graph", str(tmp_path / "none.md"), "--graphs", str(tmp_path / "g")])
    assert isinstance(missing.exception, BadInput)
