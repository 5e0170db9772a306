"""Real servers on loopback, started from the recipes in this directory (see README.md).

::

    with work_directory() as work, running("vsftpd", work, MODE="force", MAX_CLIENTS=3) as server:
        ftplib.FTP_TLS(context=server.ssl_context()).connect(server.host, server.port)

FTP is in process.py and target.py, mail in mail.py and stored.py, news in news.py; recipes.py has the table of all.
"""

from .mail import MailServer, running_mail, running_pair
from .news import NewsServer, news_of, running_news
from .process import RealServer, ServerError, running, work_directory
from .recipes import ALL_RECIPES, MAIL_RECIPES, NEWS_RECIPES, RECIPES, Recipe
from .stored import StoredMessage, canonical
from .target import FTPTarget

__all__ = [
    "ALL_RECIPES",
    "MAIL_RECIPES",
    "NEWS_RECIPES",
    "RECIPES",
    "FTPTarget",
    "MailServer",
    "NewsServer",
    "RealServer",
    "Recipe",
    "ServerError",
    "StoredMessage",
    "canonical",
    "news_of",
    "running",
    "running_mail",
    "running_news",
    "running_pair",
    "work_directory",
]
