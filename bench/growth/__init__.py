"""What codraw costs as cells, editors, rooms and connections grow: CPU and memory of the program, as curves."""
