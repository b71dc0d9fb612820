"""A fleet in virtual time: several cabinets, a broker that loses messages, and a dispatcher."""
