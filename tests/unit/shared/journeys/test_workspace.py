"""``workspace.yaml``, and what workspace, topic, journey and step inherit from each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.evaluator.core.catalog import catalog_of
from shared.clock import DAY
from shared.journeys.faults import JourneyFaultsError
from shared.journeys.files import load_definitions
from shared.journeys.model import Journey, Send
from shared.journeys.parse import parse_journey
from shared.journeys.sending import Cap, Holdout, Policy, QuietHours, SendWindow
from shared.journeys.workspace import Surroundings, TopicText, Workspace, parse_workspace
from shared.messages.command import Utm

WORKSPACE = """
schema: workspace/v1
timezone: Asia/Tokyo
locale: ja
policy:
  on_ambiguous: retry
  frequency_cap: [{max: 1, per: 1d}, {max: 3, per: 1w}]
  quiet_hours: {from: "21:00", to: "08:00"}
topics:
  news: {name: News, description: Now and then, policy: {frequency_cap: [{max: 1, per: 1w, topic: news}]}}
  plain:
  calm: {policy: {quiet_hours: {from: "18:00", to: "10:00"}, send_window: {from: "11:00", to: "12:00"}}}
"""
NIGHT = QuietHours(start="21:00", end="08:00")
DAILY, WEEKLY = Cap(max=1, per=DAY), Cap(max=3, per=7 * DAY)
NEWS = Cap(max=1, per=7 * DAY, topic="news")


def a_journey(policy: str, send: str = "", workspace: str = WORKSPACE) -> Journey:
    text = f"""
schema: journey/v1
id: a
version: 1
trigger: {{type: event, event: Go}}
policy: {policy}
steps:
  - {{id: mail, send: {{channels: [email], template: {{email: {{subject: Hi, text: Hello}}}}{send}}}}}
"""
    return parse_journey("a.yaml", text, Surroundings(workspace=parse_workspace("workspace.yaml", workspace)))


def policy(journey: str, send: str = "") -> Policy:
    """Return the policy that counts for the step of a journey that says this."""
    made = a_journey(journey, send)
    [step] = made.steps
    assert isinstance(step, Send)
    return step.policy or made.policy


def test_a_workspace_says_the_zone_the_locale_the_policy_and_the_topics() -> None:
    assert Workspace(
        timezone="Asia/Tokyo",
        locale="ja",
        policy={"on_ambiguous": "retry", "caps": (DAILY, WEEKLY), "quiet_hours": NIGHT},
        topics={
            "news": {"caps": (NEWS,)},
            "plain": {},
            "calm": {
                "quiet_hours": QuietHours(start="18:00", end="10:00"),
                "send_window": SendWindow(start="11:00", end="12:00"),
            },
        },
        topic_texts={
            "news": TopicText(name={"": "News"}, description={"": "Now and then"}),
            "plain": TopicText(),
            "calm": TopicText(),
        },
    ) == parse_workspace("workspace.yaml", WORKSPACE)
    assert Workspace() == parse_workspace("workspace.yaml", "schema: workspace/v1\n")


def test_a_topic_may_be_called_by_the_readers_language() -> None:
    text = "schema: workspace/v1\ntopics: {news: {name: {en: News, ja: お知らせ}}}\n"
    found = parse_workspace("workspace.yaml", text).topic_texts["news"]
    assert TopicText(name={"en": "News", "ja": "お知らせ"}) == found


def test_what_the_journey_does_not_say_comes_from_the_workspace() -> None:
    assert Policy(topic="plain", on_ambiguous="retry", caps=(DAILY, WEEKLY), quiet_hours=NIGHT) == policy(
        "{topic: plain}"
    )


def test_the_topic_stands_between_the_workspace_and_the_journey() -> None:
    found = policy("{topic: news}")
    assert ((NEWS,), NIGHT) == (found.caps, found.quiet_hours)
    found = policy("{topic: news, frequency_cap: [{max: 3, per: 1w}]}")
    assert (WEEKLY,) == found.caps


def test_a_list_takes_the_place_of_the_wider_one_and_an_empty_one_lifts_it() -> None:
    assert (Cap(max=9, per=DAY),) == policy("{topic: plain, frequency_cap: [{max: 9, per: 1d}]}").caps
    assert () == policy("{topic: plain, frequency_cap: []}").caps


@pytest.mark.parametrize("topic", ["plain", "news"])
def test_inherit_is_the_same_as_saying_nothing(topic: str) -> None:
    assert policy(f"{{topic: {topic}}}") == policy(f"{{topic: {topic}, frequency_cap: inherit}}")
    assert policy(f"{{topic: {topic}}}").caps == policy(f"{{topic: {topic}}}", ", frequency_cap: inherit").caps


def test_none_lifts_hours_windows_and_holdouts_of_a_wider_layer() -> None:
    assert policy("{topic: plain, quiet_hours: none}").quiet_hours is None
    assert policy("{topic: plain}", ", quiet_hours: none").quiet_hours is None
    calm = policy("{topic: calm, quiet_hours: none, send_window: none}")
    assert (None, None) == (calm.quiet_hours, calm.send_window)
    held = WORKSPACE.replace("policy:\n", "policy:\n  holdout: {percent: 5, salt: s}\n", 1)
    assert Holdout(5, "s") == a_journey("{topic: plain}", workspace=held).policy.holdout
    assert a_journey("{topic: plain, holdout: none}", workspace=held).policy.holdout is None
    told = WORKSPACE.replace("policy:\n", "policy:\n  utm: {hosts: [shop.example], source: kikkake}\n", 1)
    assert Utm(hosts=("shop.example",), source="kikkake") == a_journey("{topic: plain}", workspace=told).policy.utm
    assert a_journey("{topic: plain, utm: none}", workspace=told).policy.utm is None


def test_a_step_says_the_last_word_and_inherits_the_rest() -> None:
    found = policy("{topic: plain, max_sends: 3, frequency_cap: []}", ", quiet_hours: {from: '22:00', to: '06:00'}")
    assert QuietHours(start="22:00", end="06:00") == found.quiet_hours
    assert ((), 3, "plain", "retry") == (found.caps, found.max_sends, found.topic, found.on_ambiguous)


def test_another_topic_of_a_step_brings_its_own_policy_beneath_the_journeys() -> None:
    assert (NEWS,) == policy("{topic: plain}", ", topic: news").caps
    assert (DAILY, WEEKLY) == policy("{topic: news}", ", topic: plain").caps
    assert () == policy("{topic: plain, frequency_cap: []}", ", topic: news").caps
    assert "news" == policy("{topic: plain}", ", topic: news").topic


def test_a_step_that_says_nothing_of_its_own_has_the_journeys_policy() -> None:
    [step] = a_journey("{topic: news}").steps
    assert isinstance(step, Send)
    assert step.policy is None


@pytest.mark.parametrize(
    ("policy", "send", "expected"),
    [
        ("{topic: newz}", "", "workspace.yaml has no topic `newz`; did you mean `news`?"),
        ("{topic: plain}", ", topic: newz", "workspace.yaml has no topic `newz`; did you mean `news`?"),
        ("{purpose: transactional}", ", purpose: marketing", "`mail` sends marketing and names no consent `topic`"),
        ("{}", "", "a marketing journey that sends names its consent `topic` in `policy`"),
        ("{}", ", quiet_hours: none", "`mail` sends marketing and names no consent `topic`"),
    ],
)
def test_a_topic_is_one_of_those_there_are_and_marketing_has_one(policy: str, send: str, expected: str) -> None:
    with pytest.raises(JourneyFaultsError) as caught:
        a_journey(policy, send)
    assert [expected] == [fault.message for fault in caught.value.faults]


def test_a_step_may_name_the_topic_that_its_journey_does_not() -> None:
    assert "news" == policy("{}", ", topic: news").topic
    assert "transactional" == policy("{}", ", purpose: transactional").purpose


def test_without_a_list_of_topics_any_name_is_one() -> None:
    assert "anything" == a_journey("{topic: anything}", workspace="schema: workspace/v1\n").policy.topic


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("timezone: contact", "the workspace's time zone is an IANA name, such as Asia/Tokyo"),
        ("policy: {max_sends: 2}", "unknown key `max_sends`"),
        ("topics: {news: {policy: {purpose: marketing}}}", "unknown key `purpose`"),
        ("topics: {News: }", "`News` is not an id"),
        ("time_zone: Asia/Tokyo", "unknown key `time_zone`; did you mean `timezone`?"),
    ],
)
def test_a_fault_of_the_workspace_says_what_to_do(line: str, expected: str) -> None:
    with pytest.raises(JourneyFaultsError) as caught:
        parse_workspace("workspace.yaml", f"schema: workspace/v1\n{line}\n")
    [fault] = caught.value.faults
    assert (2, True) == (fault.line, fault.message.startswith(expected)), fault.message


def test_the_catalogue_has_the_workspaces_zone_and_locale(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").write_text(WORKSPACE)
    catalog = catalog_of(load_definitions(tmp_path))
    assert ("Asia/Tokyo", "ja") == (catalog.zone.key, catalog.locale)
