"""Real FTP servers on loopback, started from the recipes in this directory (see README.md).

::

    with work_directory() as work, running("vsftpd", work, MODE="force", MAX_CLIENTS=3) as server:
        ftplib.FTP_TLS(context=server.ssl_context()).connect(server.host, server.port)
"""

from .process import RealServer, ServerError, running, work_directory
from .recipes import RECIPES, Recipe
from .target import FTPTarget

__all__ = ["RECIPES", "FTPTarget", "RealServer", "Recipe", "ServerError", "running", "work_directory"]
