"""The linter over a whole folder: doubts about data, and what journeys do to each other. Its findings are warnings.

What is wrong with one file by itself is a fault of its parser (``shared.journeys``) and refused everywhere. ``reads``
says what a journey asks about, ``data`` holds that against the catalogue, ``week`` counts a contact's messages,
``together`` looks for journeys that get in each other's way, and ``folder`` puts it all together.
"""
