"""The elements of MJML, and where each stands."""

from __future__ import annotations

_CONTENT = frozenset(
    {
        "mj-accordion",
        "mj-button",
        "mj-carousel",
        "mj-divider",
        "mj-image",
        "mj-navbar",
        "mj-raw",
        "mj-social",
        "mj-spacer",
        "mj-table",
        "mj-text",
    }
)

CHILDREN: dict[str, frozenset[str]] = {
    "mjml": frozenset({"mj-head", "mj-body"}),
    "mj-head": frozenset({"mj-attributes", "mj-breakpoint", "mj-font", "mj-preview", "mj-raw", "mj-style", "mj-title"}),
    "mj-body": frozenset({"mj-hero", "mj-raw", "mj-section", "mj-wrapper"}),
    "mj-wrapper": frozenset({"mj-hero", "mj-raw", "mj-section"}),
    "mj-section": frozenset({"mj-column", "mj-group", "mj-raw"}),
    "mj-group": frozenset({"mj-column", "mj-raw"}),
    "mj-column": _CONTENT,
    "mj-hero": _CONTENT,
    "mj-accordion": frozenset({"mj-accordion-element"}),
    "mj-accordion-element": frozenset({"mj-accordion-title", "mj-accordion-text"}),
    "mj-carousel": frozenset({"mj-carousel-image"}),
    "mj-navbar": frozenset({"mj-navbar-link"}),
    "mj-social": frozenset({"mj-social-element"}),
}
"""Element to those that stand right in it. Every other one holds HTML, or nothing."""

ELEMENTS = frozenset(CHILDREN).union(*CHILDREN.values())

DEFAULTS = "mj-attributes"
"""Holds every element's name with the attributes that it has unless told otherwise."""

IN_DEFAULTS = ELEMENTS | {"mj-all", "mj-class"}

WITHOUT_LIQUID = frozenset({"mjml", "mj-head", DEFAULTS})
"""Between the elements in these there is no place for Liquid."""


def parents(element: str) -> list[str]:
    """Return where ``element`` stands."""
    return sorted(parent for parent, children in CHILDREN.items() if element in children)
