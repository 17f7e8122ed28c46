"""What is known of a finished stream (StreamInfo), and the counters, access log and spans that are made of it."""
