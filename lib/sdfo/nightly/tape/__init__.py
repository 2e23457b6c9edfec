"""The steps of the tape tier: staging, receipts, volumes that come back, recalls."""
