"""The catalogue of what was published, as far as one partition has read the orders."""

from __future__ import annotations

from collections.abc import Mapping

from services.evaluator.core.catalog import Catalog, build_catalog
from shared.journeys.model import Definitions
from shared.journeys.published import Live, Published
from shared.walltime.zones import load_zone


def compose(base: Definitions, known: Published, live: Mapping[str, Live]) -> Catalog:
    """Return the journeys of ``base`` and those that were published, as the orders ``live`` say.

    A published journey takes the place of one of the same id in ``base``, whose versions go on for those inside.
    Versions above the one that is live are not known here yet.
    """
    journeys = {(journey.id, journey.version): journey for journey in base.journeys}
    audiences = {audience.id: audience for audience in base.audiences}
    # Of an audience that two journeys name, what was published last counts, and of what is live before the rest.
    for name, order in sorted(live.items(), key=lambda one: one[1].order == "publish"):
        for version in [key for key in journeys if key[0] == name and key[1] > order.version]:
            del journeys[version]
        journeys |= {key: one for key, one in known.journeys.items() if key[0] == name and key[1] <= order.version}
        audiences |= {one.id: one for one in known.audiences.get((name, order.version), ())}
    return build_catalog(
        journeys.values(),
        load_zone(base.timezone),
        audiences.values(),
        base.locale,
        closed=frozenset(name for name, order in live.items() if order.order != "publish"),
        stopped={name: order.stopped_at for name, order in live.items() if order.stopped_at},
        tracking=base.tracking,
    )
