"""Many runs: how they are frozen, started, watched, repaired and searched. Nothing here imports torch."""
