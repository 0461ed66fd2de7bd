"""What is given instead of pulled: imported records, and webhook bodies in the inbox."""
