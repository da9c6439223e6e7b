"""The embedded Service Bus and the Dataverse simulator: development and test tools, never production."""
