"""A mail server for the tests: STARTTLS and a password are required.

Arguments: the files of the certificate and its key. Prints its port, then each mail as one line of
JSON, read by Python's own parser.
"""

import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def tree(part):
    """A part of a message with all parts below it."""
    content = None if part.is_multipart() else part.get_payload(decode=True)
    return {
        "type": part.get_content_type(),
        "id": part.get("Content-ID"),
        "disposition": part.get_content_disposition(),
        "text": content.decode() if part.get_content_maintype() == "text" else None,
        "hex": None if content is None else content.hex(),
        "parts": [tree(inner) for inner in part.get_payload()] if part.is_multipart() else [],
    }


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        entry = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "is_encrypted": session.ssl is not None,
            "headers": {name: str(value) for name, value in mail.items()},
            "body": tree(mail),
        }
        print(json.dumps(entry), flush=True)
        return "250 taken"


def check(server, session, envelope, mechanism, credentials):
    fits = credentials.login == b"bellwether" and credentials.password == b"the secret"
    return AuthResult(success=fits)


async def main(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def session():
        return SMTP(
            Handler(),
            hostname="mail.test",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            auth_require_tls=True,
            authenticator=check,
        )

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


# It warns of what it does itself at every sign-in.
logging.getLogger("mail.log").setLevel(logging.ERROR)
asyncio.run(main(sys.argv[1], sys.argv[2]))
