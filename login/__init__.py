"""Logins of Microsoft Entra ID: what is configured of them, and the credentials made of it."""
