"""The Dataverse Web API: rows as they are now, and the definitions of tables."""

from .client import WebClient
from .config import DataverseApi

__all__ = ["DataverseApi", "WebClient"]
