"""Settings of the whole program, and its command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.auth import Authority, Role
from common.errors import BadInput, Misconfigured
from common.settings import load
from hotline.cli import app
from hotline.company import asr_settings, product_names
from hotline.serve import Hotline
from hotline.settings import Settings


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_PATHS__DATA", str(tmp_path / "data"))


def test_nothing_listens_beyond_this_machine_by_default() -> None:
    settings = load(Settings)
    hosts = [
        settings.rpc.listen,
        settings.metrics.host,
        settings.telephony.host,
        settings.text.host,
        settings.shop.host,
    ]
    assert all(host.startswith("127.0.0.1") for host in hosts)


def test_a_wrong_key_of_any_section_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hotline.toml"
    path.write_text('[telephony]\nprot = 5070\n[services]\nnlu = "127.0.0.1:1"\n')
    with pytest.raises(Misconfigured, match=r"telephony.prot: no such setting; did you mean"):
        load(Settings, path)


def test_graphs_live_in_the_data_folder_unless_told_otherwise(tmp_path: Path) -> None:
    settings = load(Settings)
    assert asr_settings(settings).graphs == tmp_path / "data" / "asr" / "graphs"
    told = settings.model_copy(update={"asr": type(settings.asr)(graphs=tmp_path / "g")})
    assert asr_settings(told).graphs == tmp_path / "g"


def test_the_sample_shops_products_are_known_by_name() -> None:
    assert "云杉智能音箱S1" in product_names(load(Settings))


def test_an_unknown_service_is_refused() -> None:
    with pytest.raises(BadInput, match="no such service"):
        Hotline(load(Settings), "nul")


def test_token_command(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["token", "reviewer", "--subject", "li"])
    assert result.exit_code == 0, result.output
    key = (tmp_path / "data" / "keys" / "jwt.key").read_text()
    principal = Authority(key).verify(result.output.strip())
    assert (principal.subject, principal.role) == ("li", Role.REVIEWER)
    assert CliRunner().invoke(app, ["token", "king"]).exit_code == 2


def test_settings_command_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_SHOP__TOKEN", "a-very-secret-token-of-more-than-32-characters")
    result = CliRunner().invoke(app, ["settings"])
    assert result.exit_code == 0 and "[telephony]" in result.output
    assert "very-secret" not in result.output
