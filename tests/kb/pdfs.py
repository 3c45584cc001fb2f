"""A small PDF writer for tests: Chinese text, bookmarks, several pages. Text can be extracted; no font is embedded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def write_pdf(path: Path, pages: Sequence[Sequence[str]], bookmarks: Sequence[tuple[str, int]] = ()) -> None:
    """`pages` of lines; `bookmarks` of (title, page from 0)."""
    characters = sorted({c for page in pages for line in page for c in line})
    code = {c: i + 1 for i, c in enumerate(characters)}
    mapping = "\n".join(f"<{code[c]:04x}> <{c.encode('utf-16-be').hex()}>" for c in characters)
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /T def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <ffff> endcodespacerange {len(characters)} beginbfchar\n{mapping}\n"
        "endbfchar endcmap end end"
    )
    objects: list[str] = [""] * 6
    kids, outline_items = [], []
    for lines in pages:
        shown = " T* ".join(f"<{''.join(f'{code[c]:04x}' for c in line)}> Tj" for line in lines)
        content = f"BT /F 12 Tf 14 TL 50 800 Td {shown} ET" if lines else ""
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F 3 0 R >> >> "
            f"/Contents {len(objects)} 0 R >>"
        )
        kids.append(len(objects))
    first = len(objects) + 1
    for i, (title, page) in enumerate(bookmarks):
        link = f"/Next {first + i + 1} 0 R " if i + 1 < len(bookmarks) else ""
        link += f"/Prev {first + i - 1} 0 R " if i else ""
        name = ("\ufeff" + title).encode("utf-16-be").hex()
        objects.append(f"<< /Title <{name}> /Parent 6 0 R {link}/Dest [{kids[page]} 0 R /Fit] >>")
        outline_items.append(first + i)
    outline = f"/First {first} 0 R /Last {outline_items[-1]} 0 R /Count {len(outline_items)}" if outline_items else ""
    objects[0] = "<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>"
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>"
    objects[2] = (
        "<< /Type /Font /Subtype /Type0 /BaseFont /T /Encoding /Identity-H /DescendantFonts [4 0 R] /ToUnicode 5 0 R >>"
    )
    objects[3] = (
        "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /T "
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /DW 1000 >>"
    )
    objects[4] = f"<< /Length {len(cmap)} >>\nstream\n{cmap}\nendstream"
    objects[5] = f"<< /Type /Outlines {outline} >>"
    out, places = "%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    out += (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    )
    path.write_bytes(out.encode("ascii"))
