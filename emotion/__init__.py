"""How upset somebody is: acoustic reading of an utterance, text valence, fusion over turns. A leaf."""
