# deps, demo, check, install and the lanes. Included by the Makefile.
