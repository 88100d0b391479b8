"""The journey language: its model, the parser with line numbers, and the rules over a whole journey. Executes nothing."""
