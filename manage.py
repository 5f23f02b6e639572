#!/usr/bin/env python
from project.__main__ import main

if __name__ == "__main__":
    main("manage.py")
