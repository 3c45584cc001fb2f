"""Reports as rows of text, for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from voice_gateway.asr.evaluate import Report

COLUMNS = (
    "set",
    "engine",
    "line",
    "hint",
    "CER",
    "S/D/I",
    "digit strings",
    "11 digits",
    "RTF",
    "first partial",
    "final",
    "peak memory",
)


def row(name: str, report: Report) -> tuple[str, ...]:
    """One line of figures."""
    score = report.score
    return (
        name,
        report.engine,
        report.line,
        report.hint,
        f"{score.cer:.1%}",
        f"{score.substitutions}/{score.deletions}/{score.insertions} of {score.characters}",
        f"{score.digit_strings_right}/{score.digit_strings}",
        f"{score.phone_numbers_right}/{score.phone_numbers}",
        f"{report.rtf:.3f}",
        f"{report.first_partial_ms[0]:.0f}/{report.first_partial_ms[1]:.0f} ms",
        f"{report.final_ms[0]:.0f}/{report.final_ms[1]:.0f} ms",
        f"{report.peak_mb:.0f} MB",
    )


def markdown(rows: Iterable[tuple[str, Report]]) -> str:
    """For documents."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row(name, report)) + " |" for name, report in rows]
    return "\n".join(lines) + "\n"
