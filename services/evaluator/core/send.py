"""Decides whether a message leaves, and makes its command."""

from __future__ import annotations

from typing import Any

from services.evaluator.core.addresses import addresses
from services.evaluator.core.catalog import Plan
from services.evaluator.core.consent import allows
from services.evaluator.core.draft import Draft
from services.evaluator.core.state import PendingCommand, Run, Touch
from shared.ids import command_id
from shared.journeys.model import Channel, Policy, Send, Template
from shared.journeys.templates import DEFAULT_LOCALE
from shared.messages.command import OnAmbiguous, SendCommand


def send(draft: Draft, plan: Plan, run: Run, step: Send) -> None:
    """Decide on the message of ``step``: a command and a touch, or a skip with the first check that failed."""
    policy = plan.journey.policy
    reachable = addresses(draft.get("traits"), step.channels)
    allowed = {channel: place for channel, place in reachable.items() if _consented(draft, policy, channel)}
    checks: list[tuple[str, bool]] = []
    for reason, passed in _checks(run, policy, reachable, allowed):
        checks.append((reason, passed))
        if not passed:
            draft.note_run("skip", run, step=step.id, reason=reason, checks=tuple(checks))
            return
    command = _command(draft, plan, run, step, allowed)
    draft.commands.append(command)
    draft.pending[command.command_id] = PendingCommand(
        command.command_id, run.run_id, run.journey, run.version, step.id
    )
    draft.touches.append(
        Touch(
            command.command_id,
            run.run_id,
            run.journey,
            run.version,
            step.id,
            draft.now,
            # Kept while a goal may be credited, and at least as long as a late event may make us regret it.
            draft.now + max(plan.goal_window, _REGRET_WINDOW),
        )
    )
    draft.change(run, sends=run.sends + 1)
    draft.note_run(
        "send", run, step=step.id, channel=command.channels[0], command_id=command.command_id, checks=tuple(checks)
    )


_REGRET_WINDOW = 24 * 60 * 60 * 1000


def _checks(
    run: Run, policy: Policy, reachable: dict[Channel, str], allowed: dict[Channel, str]
) -> tuple[tuple[str, bool], ...]:
    """Return the checks in their fixed order (docs/reference/reasons.md): the first that fails decides."""
    return (
        ("unreachable", bool(reachable)),
        ("no_consent", bool(allowed)),
        ("max_sends", policy.max_sends is None or run.sends < policy.max_sends),
    )


def _consented(draft: Draft, policy: Policy, channel: Channel) -> bool:
    return policy.purpose == "transactional" or allows(draft.get("consent"), policy.topic, channel)


def _command(draft: Draft, plan: Plan, run: Run, step: Send, reachable: dict[Channel, str]) -> SendCommand:
    policy = plan.journey.policy
    traits = draft.get("traits")
    texts = pick_locale(step.template, traits.get("locale"))
    return SendCommand(
        command_id=command_id(run.run_id, step.id, run.visits[step.id]),
        contact=draft.state.contact,
        run_id=run.run_id,
        journey=run.journey,
        version=run.version,
        step=step.id,
        channels=tuple(reachable),
        addresses={str(channel): place for channel, place in reachable.items()},
        content={channel: texts[channel] for channel in reachable},
        data=_data(traits, draft.state.contact, run),
        purpose=policy.purpose,
        on_ambiguous=_on_ambiguous(policy),
        decided_at=draft.log_time,
        topic=policy.topic,
        expires_at=None if step.expires is None else draft.now + step.expires,
    )


def _on_ambiguous(policy: Policy) -> OnAmbiguous:
    if policy.on_ambiguous is not None:
        return policy.on_ambiguous
    return "hold" if policy.purpose == "marketing" else "retry"


def _data(traits: dict[str, Any], contact: str, run: Run) -> dict[str, Any]:
    return {
        "contact": {**traits, "id": contact.partition(":")[2]},
        "event": run.event,
        "context": run.context,
        "journey": {"id": run.journey, "version": run.version},
    }


def pick_locale(template: Template, wanted: Any) -> dict[str, dict[str, str]]:
    """Return the texts for ``wanted`` (``ja-JP``): itself, its language (``ja``), ``default``, else the first there is."""
    locales = template.locales
    chain = [wanted, wanted.replace("_", "-").split("-")[0]] if isinstance(wanted, str) else []
    for locale in (*chain, DEFAULT_LOCALE):
        if locale in locales:
            return locales[locale]
    return next(iter(locales.values()))
