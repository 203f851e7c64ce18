//! Addresses: the route and what the page is asked for.
