"""The bars of speed, side by side in one run: the C floor, codraw and the peers under the same loads."""
