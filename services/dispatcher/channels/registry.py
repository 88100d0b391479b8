"""The table of providers: one row a kind. A new one is a file beside this one, a row here, and its contract."""

from __future__ import annotations

from services.dispatcher.channels.apns import APNS
from services.dispatcher.channels.email import SMTP
from services.dispatcher.channels.fcm import FCM
from services.dispatcher.channels.kinds import Kind
from services.dispatcher.channels.line import LINE
from services.dispatcher.channels.mailgun import MAILGUN
from services.dispatcher.channels.postmark import POSTMARK
from services.dispatcher.channels.sendgrid import SENDGRID
from services.dispatcher.channels.ses import SES
from services.dispatcher.channels.slack import SLACK
from services.dispatcher.channels.twilio import TWILIO, TWILIO_WHATSAPP
from services.dispatcher.channels.web_push import WEB_PUSH
from services.dispatcher.channels.webhook import WEBHOOK

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        SMTP,
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
