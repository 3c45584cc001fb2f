"""Synthetic callers are spoken by the real synthesiser, and a second run goes on where the first stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

soundfile = pytest.importorskip("soundfile")

from voice_gateway.asr.training.callers import Sentence  # noqa: E402
from voice_gateway.asr.training.corpus import read_callers  # noqa: E402
from voice_gateway.asr.training.synthesize import Kokoro, Voice, synthesize  # noqa: E402
from voice_gateway.tts.kokoro_model import KokoroModel  # noqa: E402
from voice_gateway.tts.models import locate  # noqa: E402


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning", "ignore::UserWarning")
def test_callers_speak_and_a_second_run_goes_on(tmp_path: Path) -> None:
    engine = Kokoro(KokoroModel(locate()))
    blend = Voice((("zf_xiaobei", 0.6), ("zm_yunxi", 0.4)), 1.0)
    held = Voice((("zm_yunxia", 1.0),), 1.2)
    plan = [(Sentence("幺三八，零零二", "phone"), blend), (Sentence("我要退货", "talk"), held)]
    seconds = synthesize(engine, iter(plan), tmp_path)
    first, second = read_callers(tmp_path)
    assert (first.text, first.speaker, first.split) == ("幺三八，零零二", "zf_xiaobei*0.6+zm_yunxi*0.4", "train")
    assert second.split == "heldout_kokoro" and first.seconds + second.seconds == pytest.approx(seconds, abs=0.02)
    audio, rate = soundfile.read(first.path, dtype="int16")
    assert rate == 8000 and len(audio) == pytest.approx(first.seconds * 8000, abs=80)
    assert np.abs(audio).max() > 2000
    assert synthesize(engine, iter(plan), tmp_path) == 0.0 and len(read_callers(tmp_path)) == 2
    with pytest.raises(ValueError, match="nothing to speak"):
        engine.speak("", blend)
