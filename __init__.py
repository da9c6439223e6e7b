"""cdsbridge: Microsoft Dataverse messages on Azure Service Bus, to typed tables."""
