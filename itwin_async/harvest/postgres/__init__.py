"""PostgreSQL as a target: the address, the connection, and the tables."""
