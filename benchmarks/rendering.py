"""How long the dispatcher takes to fill in a mail of ``journeys/``: the first, which compiles, and each after it."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from shared.journeys.files import load_templates
from shared.rendering import mjml, render

TIMES = 2_000
MAILS = ("cart/remind_1", "cart/remind_2", "order/confirmation")
DATA = {
    "contact": {"first_name": "Aki"},
    "context": {"product": "Kettle", "cart_id": "k1", "order_id": "o1", "total": 5000},
}


def main() -> None:
    """Print one line per template."""
    templates, _ = load_templates(Path("journeys"))
    for name in MAILS:
        content = templates[name].locales["ja"]["email"]
        mjml._compile.cache_clear()  # noqa: SLF001 - as in a new process
        begin = perf_counter()
        size = len(render(content, DATA).parts["html"].encode())
        first = perf_counter() - begin
        begin = perf_counter()
        for _ in range(TIMES):
            render(content, DATA)
        each = (perf_counter() - begin) / TIMES
        print(f"{name}: {size:,} bytes of HTML, the first in {first * 1e3:.2f} ms, then {each * 1e3:.3f} ms each")


if __name__ == "__main__":
    main()
