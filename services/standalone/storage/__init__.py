"""The durable storage of the standalone host: log, contacts and deliveries in one SQLite file.

``Database`` owns the file and its single writer; the other modules are its tables. Whoever has several things
to change at once does it inside one ``Database.write``, so that they agree after any crash. There is one
partition, 0.
"""
