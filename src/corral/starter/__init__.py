"""The repositories that Corral offers (`zoo/`): what there is, what is on this hub, and the program that adds them."""
