"""The rules. Pure: no clock, no chance, no I/O, no logging, no await."""
