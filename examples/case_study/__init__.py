"""Four exercises on a small web application: each has a start state that runs, a worked solution, and a check that tells them apart."""
