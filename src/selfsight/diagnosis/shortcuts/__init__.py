"""What does an encoder live off: planted cues, file facts, damaged images, twins and views.

A shortcut is a cue that solves the task and not the purpose. Presence (can the cue be read from the
features?) is not reliance (does an answer change when the cue alone does?): both are measured.
Every alarm rests on a permutation test whose rate of false alarms is stated, LEVEL for each family
of tests, and `bench/shortcuts.py` measures that rate.
"""
