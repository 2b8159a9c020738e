"""What an agent of 10086 sees of a customer, and does for him: for the pages and the API."""
