"""What a run of a journey can do, worked out from its steps alone: ways, times, sends.

``graph`` draws the steps with the least and the longest time of each way between them; ``structure`` finds steps that
no way leads to, and circles without a wait. ``unfold`` counts how often a goto may turn, which leaves ways without
circles; ``measures`` asks those for the most sends, the least gap and the longest time. ``proofs`` holds that against
what the journey promises. A way counts as possible whatever its conditions say. Times are those of decisions.
"""
