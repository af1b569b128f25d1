"""The search: tables of the threads, the visited set, workers, breadth-first order, fair cycles, the trail."""
