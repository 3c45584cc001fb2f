"""Builds understanding from its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path

from common.aio import InferencePool
from common.embedding import SentenceEncoder, sentence_encoder
from common.errors import Misconfigured
from common.paths import cache_dir
from nlu.engines.examples import ExampleIntents
from nlu.engines.phrases import PhraseIntents
from nlu.engines.rules import RuleEntities
from nlu.segment import Segmenter
from nlu.service import LocalNlu
from nlu.settings import NluSettings


def build(
    settings: NluSettings,
    *,
    words: Iterable[str] = (),
    encoder: SentenceEncoder | None = None,
    cache: Path | None = None,
    clock: Callable[[], datetime] = datetime.now,
    warm: bool = True,
) -> LocalNlu:
    """The service in this process, its models loaded (`warm`; blocks for some seconds, more when it has to train).

    `words` come on top of the settings' own; `cache` is where trained weights are kept.
    """
    segmenter = Segmenter([*settings.words, *settings.products, *words])
    service = LocalNlu(
        segmenter,
        PhraseIntents(labelled(settings.phrases, "phrases.yaml")),
        ExampleIntents(
            labelled(settings.examples, "intents.yaml"),
            encoder or sentence_encoder(settings.encoder),
            segmenter,
            cache or cache_dir() / "nlu",
        ),
        RuleEntities(settings.products),
        InferencePool(settings.threads, waiting=settings.waiting, name="nlu"),
        threshold=settings.threshold,
        clock=clock,
    )
    if warm:
        service.warm_up()
    return service


def labelled(path: Path | None, shipped: str) -> Mapping[str, Sequence[str]]:
    """Sentences by label from a YAML file; None reads the one that ships. Misconfigured for any other form."""
    import yaml

    source = path or resources.files("nlu").joinpath("data", shipped)
    try:
        found = yaml.safe_load(source.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise Misconfigured(f"cannot read {source}: {error}") from None
    if not isinstance(found, dict):
        raise Misconfigured(f"{source} must map each label to a list of sentences")
    for label, texts in found.items():
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            raise Misconfigured(f"{source}: {label} must be a list of strings (quote yes, no and numbers)")
    return found
