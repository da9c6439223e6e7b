"""Where envelopes come from, and where they are settled: Azure Service Bus, and only it."""
