"""Each provider as the contract suite needs it: one file a kind, and a row here."""

from __future__ import annotations

from tests.providers.apns import APNS
from tests.providers.base import Case
from tests.providers.fcm import FCM
from tests.providers.line import LINE
from tests.providers.mailgun import MAILGUN
from tests.providers.postmark import POSTMARK
from tests.providers.sendgrid import SENDGRID
from tests.providers.ses import SES
from tests.providers.slack import SLACK
from tests.providers.twilio import TWILIO, TWILIO_WHATSAPP
from tests.providers.web_push import WEB_PUSH
from tests.providers.webhook import WEBHOOK

CASES: dict[str, Case] = {
    case.kind: case
    for case in (
        SES,
        SENDGRID,
        MAILGUN,
        POSTMARK,
        TWILIO,
        TWILIO_WHATSAPP,
        FCM,
        APNS,
        WEB_PUSH,
        LINE,
        SLACK,
        WEBHOOK,
    )
}
