"""The books of an ERP, whatever it speaks: customers, prices, orders, stock, postings, returns, and their rules."""
