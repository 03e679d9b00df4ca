"""What `autobahn` looks for to be fast: masking and UTF-8 as calls into the interpreter, not loops
in it. Plain Python, so that there is nothing to compile."""
