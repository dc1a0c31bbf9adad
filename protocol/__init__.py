"""The language of codraw: values only. Imports nothing of ours, does no I/O."""
