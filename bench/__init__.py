"""What candlecast costs, beside what a user would write instead: `make bench`, or ``python -m bench --help``."""
