"""The log on Apache Kafka: publisher, reader, and the tool that creates the topics."""
