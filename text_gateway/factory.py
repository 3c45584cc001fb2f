"""Builds the text gateway."""

from __future__ import annotations

from dialog.api import DialogService
from text_gateway.desk import NoDesk, WebhookDesk
from text_gateway.service import TextChat
from text_gateway.settings import TextSettings


def build(settings: TextSettings, dialog: DialogService) -> TextChat:
    """Text conversations over `dialog`, with the human desk that the settings name."""
    url = settings.handoff_url
    desk = WebhookDesk(url, settings.handoff_token.get_secret_value()) if url else NoDesk()
    return TextChat(
        dialog,
        desk,
        sessions=settings.sessions,
        idle_s=settings.idle_s,
        turn_timeout_s=settings.turn_timeout_s,
    )
