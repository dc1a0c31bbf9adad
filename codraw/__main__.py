"""`python -m codraw` is `codraw`."""

from codraw.cli import main

main()
