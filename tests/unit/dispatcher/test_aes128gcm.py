"""Message encryption for web push: the example of RFC 8291, byte for byte, and what cannot be encrypted for."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

from services.dispatcher.channels.aes128gcm import LARGEST, encrypt, public_bytes


def bytes_of(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


# RFC 8291, section 5 and appendix A.
SENDER = derive_private_key(int.from_bytes(bytes_of("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big"), SECP256R1())
RECEIVER = bytes_of("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
SECRET, SALT = bytes_of("BTBZMqHH6r4Tts7J_aSIgg"), bytes_of("DGv6ra1nlYgDCS1FRnbzlw")
PLAIN = b"When I grow up, I want to be a watermelon"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
    "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_example_of_the_standard_comes_out_byte_for_byte() -> None:
    assert "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8" == (
        urlsafe_b64encode(public_bytes(SENDER)).decode().rstrip("=")
    )
    made = encrypt(PLAIN, RECEIVER, SECRET, key=SENDER, salt=SALT)
    assert BODY == urlsafe_b64encode(made).decode().rstrip("=")


def test_the_longest_message_fills_the_4096_bytes_that_every_push_service_takes() -> None:
    assert 4096 == len(encrypt(bytes(LARGEST), RECEIVER, SECRET, key=SENDER, salt=SALT))


@pytest.mark.parametrize("receiver", [b"", RECEIVER[:-1], b"\x04" + bytes(64), b"\x05" + RECEIVER[1:]])
def test_a_receiver_that_is_no_point_of_the_curve_is_refused(receiver: bytes) -> None:
    with pytest.raises(ValueError, match=r"(?i)key|point|empty"):
        encrypt(PLAIN, receiver, SECRET, key=SENDER, salt=SALT)
