"""A cloud ERP to run against, with Business Central's way of speaking OData."""
