"""The real servers that tests and `make kafka` run: Apache Kafka, Redis and an SMTP server, on loopback only.

Nothing here imitates a server: Kafka is the Apache broker in a JVM, Redis is `redis-server`, and SMTP is
aiosmtpd speaking the protocol over a socket. Each listens on 127.0.0.1, keeps its data in one folder and
dies with the Python process that started it.
"""
