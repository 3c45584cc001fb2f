"""Tests of the ears."""

from voice_gateway.asr.native import vosk_first

vosk_first()  # some tests import kaldifst themselves
