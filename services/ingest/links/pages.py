"""The page on which contacts choose what they are sent, in Japanese and English. Pure: data in, HTML out.

It needs nothing but itself: no script, no other server, and a content policy that allows none.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from typing import Literal

import msgspec

from services.ingest.links.form import ALL, ONE_CLICK, PAGE, TOPIC
from shared.journeys.workspace import TopicText

Language = Literal["ja", "en"]

_STYLE = (
    "body{font:1rem/1.6 system-ui,sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem;"
    "color:#1a1a1a;background:#fff}"
    "h1{font-size:1.4rem}fieldset{border:1px solid #767676;border-radius:.4rem;margin:1rem 0;padding:.6rem 1rem}"
    "legend{font-weight:600;padding:0 .4rem}label{display:block;padding:.4rem 0}p{margin:.4rem 0}"
    "button{font:inherit;padding:.6rem 1.2rem;margin:.4rem 0;border:2px solid #1a1a1a;border-radius:.4rem;"
    "background:#1a1a1a;color:#fff;cursor:pointer}button.other{background:#fff;color:#1a1a1a}"
    "input{width:1.1rem;height:1.1rem;vertical-align:-.15rem}"
    ":focus-visible{outline:3px solid #005fcc;outline-offset:2px}"
    "[role=status]{border-left:.4rem solid #0a6b2d;padding:.4rem .8rem}"
    "[role=alert]{border-left:.4rem solid #b00020;padding:.4rem .8rem}"
)
_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "title": "What we send you",
        "stop": "Stop messages about “{}”",
        "choose": "Choose by topic",
        "yes": "Yes, send me these",
        "no": "No, stop these",
        "save": "Save my choice",
        "stop_all": "Stop all of them",
        "saved": "Your choice is saved. Messages that are being delivered at this moment may still arrive.",
        "failed": "Your choice could not be saved just now. Please try again in a minute.",
        "nothing": "Please choose something first.",
        "unknown": "This link is not valid. Please use the link in one of our messages.",
        "unchanged": "What you do not choose stays as it is.",
        "none": "There is nothing to choose here: this message was about something that you ordered or asked for.",
        "sorry": "This did not work",
        "gone": "This message is not kept any more. You still have it in your mailbox.",
        "busy": "Too much is going on here just now. Please try again in a minute.",
    },
    "ja": {
        "title": "配信の設定",
        "stop": "「{}」の配信を停止する",
        "choose": "内容ごとに選ぶ",
        "yes": "受け取る",
        "no": "受け取らない",
        "save": "この内容で保存する",
        "stop_all": "すべての配信を停止する",
        "saved": "設定を保存しました。すでに配信中のメッセージは届くことがあります。",
        "failed": "ただいま設定を保存できませんでした。しばらくしてからもう一度お試しください。",
        "nothing": "変更する内容を選んでください。",
        "unknown": "このリンクは無効です。お届けしたメッセージのリンクをご利用ください。",
        "unchanged": "選ばない内容の設定は変わりません。",
        "none": "選べる内容はありません。このメッセージは、ご注文やお申し込みについてのお知らせです。",
        "sorry": "ページを表示できません",
        "gone": "このメッセージの保存期間は終了しました。お手元のメールをご覧ください。",
        "busy": "ただいま混み合っています。しばらくしてからもう一度お試しください。",
    },
}
Notice = Literal["saved", "failed", "nothing"]
Problem = Literal["unknown", "gone", "busy"]


class Choice(msgspec.Struct, frozen=True):
    """One topic of the page; ``status`` None: nobody knows what the contact said."""

    topic: str
    text: TopicText
    status: str | None = None


def language_of(accepted: str) -> Language:
    """Return the language of the page for an ``Accept-Language``: the first of ours that it names, else English."""
    for part in accepted.lower().split(","):
        tag = part.partition(";")[0].strip().partition("-")[0]
        if tag == "ja":
            return "ja"
        if tag == "en":
            return "en"
    return "en"


def preferences(language: Language, choices: Sequence[Choice], topic: str, notice: Notice | None = None) -> str:
    """Return the page; ``topic`` is that of the message whose link was followed ("": none)."""
    words = _WORDS[language]
    body = "" if notice is None else _notice(notice, words[notice])
    own = next((one for one in choices if one.topic == topic), None)
    if own is not None:
        stop = words["stop"].format(_text(own.text.name, language, own.topic))
        body += f'<form method="post">{_hidden(*ONE_CLICK)}{_hidden(PAGE, "1")}{_button(stop)}</form>'
    if len(choices) > 1 or (choices and (own is None or own.status is not None)):
        fields = "".join(_fieldset(language, one) for one in choices)
        save = f"{_button(words['save'])}<p>{escape(words['unchanged'])}</p>"
        body += f'<h2>{escape(words["choose"])}</h2><form method="post">{_hidden(PAGE, "1")}{fields}{save}</form>'
    if not choices:
        body += f"<p>{escape(words['none'])}</p>"
    if len(choices) > 1:
        stop = _button(words["stop_all"], other=True)
        body += f'<form method="post">{_hidden(PAGE, "1")}{_hidden(ALL, "revoked")}{stop}</form>'
    return _page(language, words["title"], body)


def sorry(language: Language, problem: Problem) -> str:
    """Return the page for a link that is none of ours (``unknown``), no more (``gone``), or not now."""
    words = _WORDS[language]
    return _page(language, words["sorry"], f'<p role="alert">{escape(words[problem])}</p>')


@cache
def headers() -> Mapping[str, str]:
    """Return the headers of every page: nothing from elsewhere, nothing kept, and no address passed on."""
    style = b64encode(sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "content-security-policy": policy,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex",
    }


def _page(language: Language, title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def _notice(kind: Notice, text: str) -> str:
    role = "status" if kind == "saved" else "alert"
    return f'<p role="{role}">{escape(text)}</p>'


def _fieldset(language: Language, choice: Choice) -> str:
    words = _WORDS[language]
    told = _text(choice.text.description, language, "")
    about = f"<p>{escape(told)}</p>" if told else ""
    radios = "".join(
        f'<label><input type="radio" name="{escape(TOPIC + choice.topic)}" value="{status}"'
        f"{' checked' if choice.status == status else ''}> {escape(words[word])}</label>"
        for status, word in (("granted", "yes"), ("revoked", "no"))
    )
    legend = escape(_text(choice.text.name, language, choice.topic))
    return f"<fieldset><legend>{legend}</legend>{about}{radios}</fieldset>"


def _text(by_language: Mapping[str, str], language: Language, default: str) -> str:
    return by_language.get(language) or by_language.get("") or next(iter(by_language.values()), default)


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'


def _button(text: str, *, other: bool = False) -> str:
    return f'<p><button type="submit"{" class=other" if other else ""}>{escape(text)}</button></p>'
