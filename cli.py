"""`python cli.py` runs geolive's commands from a checkout."""

from geolive.__main__ import main

if __name__ == "__main__":
    main()
