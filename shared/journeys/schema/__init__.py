"""JSON Schema (draft 2020-12) of the documents, for editors: the model's structs in the words of the YAML.

``builder`` walks the structs; ``journey_words`` and ``step_words`` are the table of how a field is written where that
is not its own name and type. Tests hold the schema and the parsers together.
"""
