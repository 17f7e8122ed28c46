"""Who is connected, what each proxy has accepted, and the long-polls that bring it what changed."""
