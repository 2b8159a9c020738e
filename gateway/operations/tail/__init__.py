"""Reading the log of a gateway, for `fetion-gateway tail`: follow a file, choose lines, count them."""
