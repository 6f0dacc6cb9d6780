"""What the exercises of each chapter are tried with: `chapterNN.names` and `chapterNN.WRONG`; see test_exercises.py."""
