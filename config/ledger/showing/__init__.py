"""The ledger for people: tables, and the front as a picture. What programs read is `routing/ledger/telling.py`."""
