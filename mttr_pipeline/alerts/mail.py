"""Mail over SMTP."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from mttr_pipeline.alerts.messages import Message
from mttr_pipeline.alerts.posting import SECONDS
from mttr_pipeline.config.alert_places import MAIL, PREFIX, MailServer
from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.errors import MttrError, PermanentError, TransientError
from mttr_pipeline.hidden import one_line, redact, without_addresses
from mttr_pipeline.sources.kit.route import route

_VARIABLE = f"{PREFIX}_{MAIL}"


@dataclass(frozen=True)
class Mail:
    """A mail server with its sender and recipients."""

    server: MailServer
    name: str = "mail"
    title: str = "Mail"

    def send(self, message: Message) -> None:
        """Hand the message to the server. Raises TransientError or PermanentError; part of the recipients refused is an error."""
        failure: MttrError
        try:
            with self._connected() as smtp:
                refused = smtp.send_message(_mail(message, self.server))
            if not refused:
                return
            count = f"{len(refused)} of {len(self.server.recipients)} recipients"
            failure = PermanentError(f"{self.title}: the server refused {count}; check `to` in {_VARIABLE}.")
        except MttrError as error:
            failure = error
        except (smtplib.SMTPException, OSError, ValueError) as error:
            failure = self._explained(error)
        raise failure

    def _connected(self) -> smtplib.SMTP:
        server = self.server
        if server.tls == "always":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=SECONDS, context=self._trust())
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=SECONDS)
        try:
            smtp.ehlo()
            is_safe = server.tls == "always"
            if not is_safe and smtp.has_extn("starttls"):
                smtp.starttls(context=self._trust())
                smtp.ehlo()
                is_safe = True
            if not is_safe and (server.tls == "required" or server.password):
                wants = (
                    "starttls=required wants it" if server.tls == "required" else "the password is sent over TLS only"
                )
                raise PermanentError(f"{self.title}: the server offers no TLS, and {wants}; correct {_VARIABLE}.")
            if server.user and server.password:
                smtp.login(server.user, server.password.get_secret_value())
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _trust(self) -> ssl.SSLContext:
        """Public certificates, or those that are trusted for vendors too."""
        ca = route(f"https://{self.server.host}", self.title, SourceOptions()).ca
        if ca is None:
            context = ssl.create_default_context()
            context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
            return context
        return ssl.create_default_context(cafile=None if ca.is_dir() else ca, capath=ca if ca.is_dir() else None)

    def _explained(self, error: Exception) -> MttrError:
        """The failure in words that hold no address."""
        permanent: list[tuple[type[Exception], str]] = [
            (smtplib.SMTPAuthenticationError, f"the server refused user and password; correct {_VARIABLE}"),
            (smtplib.SMTPRecipientsRefused, f"the server refused every recipient; check `to` in {_VARIABLE}"),
            (smtplib.SMTPSenderRefused, f"the server refused the sender; check `from` in {_VARIABLE}"),
            (
                ssl.SSLCertVerificationError,
                f"the server's TLS certificate is not trusted; check {_VARIABLE} or set SSL_CERT_FILE",
            ),
        ]
        for kind, text in permanent:
            if isinstance(error, kind):
                return PermanentError(f"{self.title}: {text}.")
        if type(error) in (smtplib.SMTPException, smtplib.SMTPNotSupportedError):  # those that `login` raises
            return PermanentError(f"{self.title}: the server takes no user and password; correct {_VARIABLE}.")
        check = f"check {_VARIABLE} and the network"
        if isinstance(error, smtplib.SMTPResponseException):
            raw = error.smtp_error
            said = without_addresses(redact(raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)))
            reason = f"refused the message (code {error.smtp_code}: {' '.join(one_line(said).split())[:200]})"
        elif isinstance(error, ssl.SSLError):
            reason, check = "broke the TLS connection off", f"check the port in {_VARIABLE}, and smtp:// or smtps://"
        elif isinstance(error, TimeoutError) or "timed out" in str(error):  # as smtplib says it
            reason = f"did not answer within {SECONDS:g} seconds"
        elif isinstance(error, smtplib.SMTPServerDisconnected):
            reason = "broke the connection off"
        else:
            reason = "refused the connection" if isinstance(error, ConnectionRefusedError) else "cannot be reached"
        return TransientError(f"{self.title}: the server {reason}; {check}.")


def _mail(message: Message, server: MailServer) -> EmailMessage:
    """The message as a mail that no out-of-office reply answers."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = server.sender, ", ".join(server.recipients), message.title
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=server.sender.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n\n".join(message.lines) + "\n")
    return mail
