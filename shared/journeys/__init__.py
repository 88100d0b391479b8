"""The journey language: its model, the parser that names lines, the rules over a whole journey. Executes nothing."""
