"""Real servers on loopback, started from the recipes in this directory (see README.md).

::

    with work_directory() as work, running("vsftpd", work, MODE="force", MAX_CLIENTS=3) as server:
        ftplib.FTP_TLS(context=server.ssl_context()).connect(server.host, server.port)

FTP is in process.py and target.py, mail in mail.py and stored.py; recipes.py has the table of both.
"""

from .mail import MailServer, running_mail, running_pair
from .process import RealServer, ServerError, running, work_directory
from .recipes import ALL_RECIPES, MAIL_RECIPES, RECIPES, Recipe
from .stored import StoredMessage, canonical
from .target import FTPTarget

__all__ = [
    "ALL_RECIPES",
    "MAIL_RECIPES",
    "RECIPES",
    "FTPTarget",
    "MailServer",
    "RealServer",
    "Recipe",
    "ServerError",
    "StoredMessage",
    "canonical",
    "running",
    "running_mail",
    "running_pair",
    "work_directory",
]
