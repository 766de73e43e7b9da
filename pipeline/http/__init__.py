"""One way of HTTP for every function: the resolver, the problems, and the models that the stages share."""
