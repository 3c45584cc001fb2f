"""One voice conversation: audio port, VAD, turn-taking, ASR, TTS."""
