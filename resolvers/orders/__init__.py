"""How orders, quotes, shipments, invoices and returns are read, submitted and followed, through ports only."""
