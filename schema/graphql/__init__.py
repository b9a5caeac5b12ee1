"""GraphQL values that every subgraph shares: scalars, enumerations, money, pages, problems."""
