"""Host -> virtual host -> route -> cluster, and what a route does to a request's head. Pure."""
