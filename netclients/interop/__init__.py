"""Client objects of other libraries, connected by this one.

:mod:`netclients.interop.aioftp`, :mod:`netclients.interop.aiosmtplib`.
"""
