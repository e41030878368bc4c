"""Small PDFs, written by hand: pages of lines in one typeface (ISO 32000-1, 7.5)."""

from __future__ import annotations

from collections.abc import Sequence

LINE_POINTS = 14
TOP_POINTS = 740


def pdf(pages: Sequence[Sequence[str]], bookmarks: Sequence[tuple[int, str]] = (), *, encrypted: bool = False) -> bytes:
    """A PDF with these lines on its pages, and bookmarks `(page index, title)`."""
    bodies: list[bytes] = []

    def added(body: str | bytes) -> int:
        bodies.append(body.encode("latin-1") if isinstance(body, str) else body)
        return len(bodies)

    catalog, tree, font = added(b""), added(b""), added("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    numbers: list[int] = []
    for lines in pages:
        shown = "".join(
            f"1 0 0 1 50 {TOP_POINTS - LINE_POINTS * row} Tm ({_escaped(line)}) Tj\n" for row, line in enumerate(lines)
        )
        stream = f"BT /F1 10 Tf\n{shown}ET"
        content = added(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        numbers.append(
            added(
                f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 612 792] /Contents {content} 0 R"
                f" /Resources << /Font << /F1 {font} 0 R >> >> >>"
            )
        )
    kids = " ".join(f"{number} 0 R" for number in numbers)
    bodies[tree - 1] = f"<< /Type /Pages /Kids [{kids}] /Count {len(numbers)} >>".encode()
    outlines = ""
    if bookmarks:
        root = len(bodies) + 1
        first, last = root + 1, root + len(bookmarks)
        added(f"<< /Type /Outlines /First {first} 0 R /Last {last} 0 R /Count {len(bookmarks)} >>")
        for number, (page, title) in enumerate(bookmarks, first):
            following = f"/Next {number + 1} 0 R" if number < last else ""
            added(f"<< /Title ({_escaped(title)}) /Parent {root} 0 R {following} /Dest [{numbers[page]} 0 R /Fit] >>")
        outlines = f" /Outlines {root} 0 R"
    bodies[catalog - 1] = f"<< /Type /Catalog /Pages {tree} 0 R{outlines} >>".encode()
    trailer = f"/Root {catalog} 0 R"
    if encrypted:
        zeros = "0" * 64
        handler = added(f"<< /Filter /Standard /V 1 /R 2 /O <{zeros}> /U <{zeros}> /P -4 >>")
        trailer += f" /Encrypt {handler} 0 R /ID [<00> <00>]"
    return _file(bodies, trailer)


def _file(bodies: list[bytes], trailer: str) -> bytes:
    data = b"%PDF-1.4\n"
    offsets: list[int] = []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(bodies) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} {trailer} >>\nstartxref\n{len(data)}\n%%EOF\n"
    return data + end.encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
